// The Integration API and its events.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { eventually } from '../lib/eventually.js';
import { functionsOf, integrationSdk } from '../lib/sdk.js';
import { Operator, PASSWORD, accessToken, signUp, trusted } from '../lib/people.js';
import { ask, inquiryOn, publish, requestOn, unknownId } from '../lib/market.js';
import { integrationToken, request } from '../lib/raw.js';
import { ids, refused } from '../lib/expect.js';

let stoa;
let integ;
let operator;

before(async () => {
  stoa = await startStoa({ virtualClock: true });
  integ = integrationSdk(stoa);
  operator = await Operator.signIn(stoa);
});

/** Waits until this resource, or what refers to it, has `count` events; their attributes. */
async function eventsOf(id, count, params = {}) {
  const found = await eventually(`${count} events of ${id}`, async () => {
    const answer = await integ.events.query({ resourceId: id.uuid ?? id, ...params });
    return answer.data.data.length >= count && answer;
  });
  assert.equal(found.data.data.length, count, found.data.data.map(e => e.attributes.eventType).join(' '));
  return found.data.data.map(event => event.attributes);
}

/** The newest sequence id once everything before it has arrived: that of a new marker. */
async function mark() {
  const person = await signUp(stoa);
  const [event] = await eventsOf(person.id, 1);
  return { after: event.sequenceId, person };
}

// contract: integration I2
test('every function of this stage answers, every other one is not found', async () => {
  const HERE = new Set([
    'marketplace.show',
    'users.show',
    'users.query',
    'users.updateProfile',
    'users.approve',
    'users.updatePermissions',
    'users.verifyEmail',
    'listings.show',
    'listings.query',
    'listings.create',
    'listings.update',
    'listings.approve',
    'listings.open',
    'listings.close',
    'transactions.show',
    'transactions.query',
    'transactions.transition',
    'transactions.transitionSpeculative',
    'transactions.updateMetadata',
    'messages.query',
    'events.query',
  ]);
  const notYet = [];
  for (const name of functionsOf(integ)) {
    const [resource, verb] = name.split('.');
    // An upload is a form with a file; without one the SDK asks nothing.
    if (name === 'images.upload') continue;
    let status;
    try {
      status = (await integ[resource][verb]({ unknownKey: 1 })).status;
    } catch (error) {
      status = error.status;
      const codes = error.data.errors.map(e => e.code);
      if (status === 400) assert.ok(codes.includes('validation-disallowed-key'), `${name}: ${codes}`);
    }
    if (HERE.has(name)) assert.equal(status, 400, `${name}: an unknown key is a bad request`);
    else {
      assert.equal(status, 404, name);
      notYet.push(name);
    }
  }
  assert.ok([...HERE].every(name => functionsOf(integ).includes(name)));
  assert.ok(notYet.includes('stock.compareAndSet'));
});

// contract: wire 3.6
test('every Marketplace function of this stage answers, every other one is not found', async () => {
  const HERE = new Set([
    'marketplace.show',
    'users.show',
    'currentUser.show',
    'currentUser.create',
    'currentUser.updateProfile',
    'currentUser.changePassword',
    'currentUser.changeEmail',
    'currentUser.verifyEmail',
    'currentUser.sendVerificationEmail',
    'passwordReset.request',
    'passwordReset.reset',
    'currentUser.delete',
    'listings.show',
    'listings.query',
    'listings.search',
    'ownListings.show',
    'ownListings.query',
    'ownListings.create',
    'ownListings.createDraft',
    'ownListings.publishDraft',
    'ownListings.discardDraft',
    'ownListings.update',
    'ownListings.open',
    'ownListings.close',
    'transactions.initiate',
    'transactions.initiateSpeculative',
    'transactions.transition',
    'transactions.transitionSpeculative',
    'transactions.show',
    'transactions.query',
    'processTransitions.query',
    'messages.query',
    'messages.send',
    'reviews.show',
    'reviews.query',
  ]);
  const IGNORES = new Set(['listings.query', 'listings.search', 'ownListings.query']);
  const person = await signUp(stoa);
  const sdk = await trusted(stoa, person);
  for (const name of functionsOf(sdk)) {
    const [resource, verb] = name.split('.');
    if (name === 'images.upload') continue;
    let status;
    try {
      status = (await sdk[resource][verb]({ unknownKey: 1 })).status;
    } catch (error) {
      status = error.status;
    }
    const expected = IGNORES.has(name) ? 200 : HERE.has(name) ? 400 : 404;
    assert.equal(status, expected, name);
  }
  assert.ok([...HERE].every(name => functionsOf(sdk).includes(name)));
});

// contract: integration I7
test('a listing made by the Integration API tells its source and application', async () => {
  const { after, person } = await mark();
  const created = await integ.listings.create({
    title: 'From outside',
    authorId: person.id.uuid,
    state: 'published',
  });
  const { id } = created.data.data;
  const found = await eventually('the event', async () => {
    const answer = await integ.events.query({ startAfterSequenceId: after });
    return answer.data.data.length > 0 && answer;
  });
  const [event] = found.data.data;
  assert.equal(event.type, 'event');
  const seen = event.attributes;
  assert.equal(seen.eventType, 'listing/created');
  assert.equal(seen.source, 'source/integration-api');
  assert.equal(seen.resourceType, 'listing');
  assert.equal(seen.resourceId.uuid, id.uuid);
  assert.equal(seen.resource.attributes.title, 'From outside');
  assert.equal(seen.resource.relationships.author.data.id.uuid, person.id.uuid);
  assert.deepEqual(seen.resource.relationships.images.data, []);
  assert.deepEqual(seen.previousValues, {});
  assert.equal(seen.auditData.clientId.uuid, stoa.credentials.integrationClientId);
  assert.equal(seen.auditData.userId, null);
  assert.equal(seen.auditData.adminId, null);
  assert.ok(seen.auditData.requestId);
  assert.ok(seen.createdAt instanceof Date);
  assert.ok(Number.isSafeInteger(seen.sequenceId) && seen.sequenceId > after);
  const marketplace = await integ.marketplace.show();
  assert.equal(seen.marketplaceId.uuid, marketplace.data.data.id.uuid);
});

// contract: integration I8
test('an update tells the old value of what changed, and only that', async () => {
  const author = await signUp(stoa);
  const id = await publish(author, { title: 'Old', publicData: { a: { deep: 1 }, same: 1 } });
  await author.sdk.ownListings.update({ id, title: 'New', publicData: { a: null, b: 2 } });
  const [, updated] = await eventsOf(id, 2);
  assert.equal(updated.eventType, 'listing/updated');
  assert.equal(updated.source, 'source/marketplace-api');
  assert.deepEqual(updated.previousValues, {
    attributes: { title: 'Old', publicData: { a: { deep: 1 }, b: null } },
  });
  assert.equal(updated.resource.attributes.title, 'New');
  assert.deepEqual(updated.resource.attributes.publicData, { same: 1, b: 2 });
  assert.equal(updated.auditData.userId.uuid, author.id.uuid);
  assert.equal(updated.auditData.clientId.uuid, stoa.credentials.marketplaceClientId);
});

test('an update that changes nothing tells nothing', async () => {
  const author = await signUp(stoa);
  const id = await publish(author, { title: 'Same' });
  await author.sdk.ownListings.update({ id, title: 'Same' });
  await author.sdk.ownListings.update({ id, title: 'Other' });
  const [, second] = await eventsOf(id, 2);
  assert.deepEqual(second.previousValues, { attributes: { title: 'Same' } });
});

// contract: users 5
test('a profile change tells exactly the values that followed from it', async () => {
  const person = await signUp(stoa);
  await person.sdk.currentUser.updateProfile({ firstName: 'olli-test' });
  const [created, updated] = await eventsOf(person.id, 2);
  assert.equal(created.eventType, 'user/created');
  assert.equal(created.resource.attributes.email, person.email);
  assert.equal(updated.eventType, 'user/updated');
  assert.deepEqual(updated.previousValues, {
    attributes: { profile: { firstName: 'Olli', displayName: 'Olli F', abbreviatedName: 'OF' } },
  });
});

test('the life of a draft is told in its order', async () => {
  const author = await signUp(stoa);
  const { sdk } = author;
  const { id } = (await sdk.ownListings.createDraft({ title: 'x' })).data.data;
  await sdk.ownListings.publishDraft({ id });
  await sdk.ownListings.close({ id });
  await sdk.ownListings.open({ id });
  const events = await eventsOf(id, 4);
  assert.deepEqual(
    events.map(e => [e.eventType, e.resource.attributes.state, e.previousValues.attributes?.state]),
    [
      ['listing/created', 'draft', undefined],
      ['listing/updated', 'published', 'draft'],
      ['listing/updated', 'closed', 'published'],
      ['listing/updated', 'published', 'closed'],
    ]
  );
  const other = (await sdk.ownListings.createDraft({ title: 'y' })).data.data.id;
  await sdk.ownListings.discardDraft({ id: other });
  const [, deleted] = await eventsOf(other, 2);
  assert.equal(deleted.eventType, 'listing/deleted');
  assert.equal(deleted.resource, null);
  assert.equal(deleted.previousValues.attributes.title, 'y');
});

// contract: integration I14, I15, I16
test('a transaction tells every step, its messages and its reviews, and dry runs tell nothing', async () => {
  const [provider, customer] = await Promise.all([signUp(stoa), signUp(stoa)]);
  const listing = await publish(provider);
  const shop = await trusted(stoa, customer);
  await shop.transactions.initiateSpeculative(requestOn(listing), { expand: true });
  const id = await ask(stoa, customer, listing);
  await provider.sdk.transactions.transitionSpeculative({ id, transition: 'transition/accept', params: {} });
  await provider.sdk.transactions.transition({ id, transition: 'transition/accept', params: {} });
  const message = await customer.sdk.messages.send({ transactionId: id, content: 'Thanks' });
  await integ.transactions.updateMetadata({ id: id.uuid, metadata: { a: 1 } });
  await integ.transactions.updateMetadata({ id: id.uuid, metadata: { a: null } });
  await operator.advance({ days: 7, seconds: 1 });
  await customer.sdk.transactions.transition({
    id,
    transition: 'transition/review-1-by-customer',
    params: { reviewRating: 5, reviewContent: 'Good' },
  });
  await provider.sdk.transactions.transition({
    id,
    transition: 'transition/review-2-by-provider',
    params: { reviewRating: 4, reviewContent: 'Fine' },
  });

  const events = await eventsOf(id, 7);
  assert.deepEqual(
    events.map(e => [e.eventType, e.resource.attributes.lastTransition]),
    [
      ['transaction/initiated', 'transition/request'],
      ['transaction/transitioned', 'transition/accept'],
      ['transaction/updated', 'transition/accept'],
      ['transaction/updated', 'transition/accept'],
      ['transaction/transitioned', 'transition/complete'],
      ['transaction/transitioned', 'transition/review-1-by-customer'],
      ['transaction/transitioned', 'transition/review-2-by-provider'],
    ]
  );
  const [initiated, accepted, , cleared, completed] = events;
  assert.equal(initiated.source, 'source/transaction');
  assert.deepEqual(initiated.previousValues, {});
  assert.equal(initiated.resource.attributes.payinTotal.amount, 5000);
  assert.equal(initiated.resource.relationships.provider.data.id.uuid, provider.id.uuid);
  assert.equal(accepted.previousValues.attributes.state, 'state/requested');
  assert.equal(accepted.auditData.userId.uuid, provider.id.uuid);
  assert.equal(cleared.source, 'source/integration-api');
  assert.deepEqual(cleared.previousValues.attributes, { metadata: { a: 1 } });
  assert.equal(completed.auditData.userId, null);
  assert.equal(completed.auditData.clientId, null);

  const related = await integ.events.query({ relatedResourceId: id.uuid });
  const told = related.data.data.map(e => e.attributes.eventType);
  const [first, ...second] = told.filter(type => type.startsWith('review/'));
  assert.equal(first, 'review/created');
  assert.deepEqual(second.sort(), ['review/created', 'review/updated', 'review/updated'], 'published');
  assert.equal(told.at(-1), 'transaction/transitioned', 'the events of its actions come first');
  const sent = related.data.data.find(e => e.attributes.eventType === 'message/created').attributes;
  assert.equal(sent.resourceId.uuid, message.data.data.id.uuid);
  assert.equal(sent.resource.attributes.content, 'Thanks');
  assert.equal(sent.resource.relationships.sender.data.id.uuid, customer.id.uuid);
  assert.equal(sent.source, 'source/marketplace-api');
});

// contract: integration I10
test('the deletion of a user is told without the user', async () => {
  const person = await signUp(stoa);
  const sdk = await trusted(stoa, person);
  await sdk.currentUser.delete({ currentPassword: PASSWORD });
  const events = await eventsOf(person.id, 2);
  const deleted = events[1];
  assert.equal(deleted.eventType, 'user/deleted');
  assert.equal(deleted.resource, null);
  assert.equal(typeof deleted.previousValues, 'object');
  assert.notEqual(deleted.previousValues, null);
  assert.ok(!JSON.stringify(deleted).includes(person.email));
  assert.equal(deleted.auditData.userId.uuid, person.id.uuid);
});

// contract: integration I11
test('a poller sees every event exactly once and in ascending order', async () => {
  const { after, person } = await mark();
  const WRITERS = 50;
  const drafts = [];
  let writing = true;
  const writers = Promise.all(
    Array.from({ length: WRITERS }, async (_, n) => {
      const made = await person.sdk.ownListings.createDraft({ title: `Draft ${n}` });
      drafts.push(made.data.data.id.uuid);
      await person.sdk.ownListings.update({ id: made.data.data.id, title: `Again ${n}` });
    })
  ).finally(() => (writing = false));
  const seen = [];
  let cursor = after;
  await eventually(
    'all events have come',
    async () => {
      const page = await integ.events.query({ startAfterSequenceId: cursor, perPage: 7 });
      for (const event of page.data.data) seen.push(event);
      cursor = seen.at(-1)?.attributes.sequenceId ?? cursor;
      return !writing && seen.length >= 2 * WRITERS && page.data.data.length === 0;
    },
    30_000
  );
  await writers;
  const numbers = seen.map(event => event.attributes.sequenceId);
  assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
  assert.equal(new Set(numbers).size, numbers.length);
  assert.equal(new Set(seen.map(event => event.id.uuid)).size, seen.length);
  const created = seen.filter(e => e.attributes.eventType === 'listing/created');
  const updated = seen.filter(e => e.attributes.eventType === 'listing/updated');
  const named = list => list.map(e => e.attributes.resourceId.uuid).sort();
  assert.deepEqual(named(created), [...drafts].sort());
  assert.deepEqual(named(updated), [...drafts].sort());
});

// contract: integration I12
test('event types are asked for in full or by their resource', async () => {
  const { after, person } = await mark();
  const id = await publish(person);
  await person.sdk.ownListings.close({ id });
  await person.sdk.currentUser.updateProfile({ bio: 'x' });
  await eventsOf(person.id, 2);
  const find = async eventTypes => {
    const answer = await integ.events.query({ startAfterSequenceId: after, eventTypes });
    return answer.data.data.map(e => e.attributes.eventType);
  };
  await eventually('all three are there', async () => (await find('listing,user')).length === 3);
  assert.deepEqual((await find('listing/created,user')).sort(), ['listing/created', 'user/updated']);
  assert.deepEqual(await find('review'), []);
});

// contract: integration I13
test('a page of events has limits, and tells its size', async () => {
  await refused(integ.events.query({ perPage: 101 }), 400, 'validation-invalid-value', ['perPage']);
  await refused(integ.events.query({ page: 2 }), 400, 'validation-invalid-value', ['page']);
  const id = unknownId().uuid;
  const both = integ.events.query({ resourceId: id, relatedResourceId: id });
  await refused(both, 400, 'validation-invalid-params');
  const found = await integ.events.query();
  assert.equal(found.data.meta.perPage, 100);
  assert.ok(found.data.data.length <= 100);
  const one = await integ.events.query({ perPage: 1 });
  assert.equal(one.data.data.length, one.data.meta.perPage);
});

test('events can be asked for by time, by user and by number', async () => {
  const { person } = await mark();
  const [created] = await eventsOf(person.id, 1);
  const at = await integ.events.query({ createdAtStart: created.createdAt, resourceId: person.id.uuid });
  assert.equal(at.data.data.length, 1);
  const later = new Date(created.createdAt.getTime() + 1);
  const after = await integ.events.query({ createdAtStart: later, resourceId: person.id.uuid });
  assert.deepEqual(after.data.data, []);
  const number = await integ.events.query({ sequenceId: created.sequenceId });
  assert.deepEqual(number.data.data[0].attributes.resourceId.uuid, person.id.uuid);
  await publish(person);
  const by = await eventually('the listing’s event', async () => {
    const found = await integ.events.query({ userId: person.id.uuid });
    return found.data.data.some(e => e.attributes.eventType === 'listing/created') && found;
  });
  assert.ok(by.data.data.every(e => e.attributes.auditData.userId.uuid === person.id.uuid));
});

test('events are not for users, and refused commands leave none', async () => {
  const { after, person } = await mark();
  const token = accessToken(person);
  await refused(request(stoa, '/v1/integration_api/events/query', { token }), 403, 'forbidden');
  await refused(person.sdk.ownListings.create({ title: '' }), 400);
  const listing = await publish(person);
  await refused(person.sdk.transactions.initiate(inquiryOn(listing)), 409);
  await person.sdk.currentUser.updateProfile({ bio: 'last' });
  await eventsOf(person.id, 2);
  const found = await eventually('two events', async () => {
    const answer = await integ.events.query({ startAfterSequenceId: after });
    return answer.data.data.length >= 2 && answer;
  });
  assert.deepEqual(found.data.data.map(e => e.attributes.eventType).sort(), [
    'listing/created',
    'user/updated',
  ]);
});

test('JSON and Transit tell the same events', async () => {
  const { person } = await mark();
  const transit = await integ.events.query({ resourceId: person.id.uuid });
  const json = await request(
    stoa,
    `/v1/integration_api/events/query?resourceId=${person.id.uuid}`,
    { token: await integrationToken(stoa) }
  );
  assert.equal(json.body.data[0].id, ids(transit)[0]);
  assert.equal(json.body.data[0].attributes.resource.attributes.email, person.email);
  assert.deepEqual(json.body.meta, transit.data.meta);
});

test('the official way to notify of new listings works unchanged', async () => {
  // As the official example script does: remember the last sequence id, ask on from it, and ask
  // at once again after a full page.
  const { after, person } = await mark();
  const titles = Array.from({ length: 5 }, (_, n) => `Notify ${n}`);
  for (const title of titles) await publish(person, { title });
  const printed = [];
  let state = { sequenceId: after };
  const poll = async () => {
    const res = await integ.events.query({
      startAfterSequenceId: state.sequenceId,
      eventTypes: 'listing/created,listing/updated',
      perPage: 2,
    });
    const events = res.data.data;
    const lastEvent = events[events.length - 1];
    for (const event of events) {
      const { resource, previousValues } = event.attributes;
      const isPublished = resource.attributes.state === 'published';
      const wasPublished = (previousValues.attributes || {}).state === 'published';
      if (isPublished && !wasPublished) printed.push(resource.attributes.title);
    }
    if (lastEvent) state = JSON.parse(JSON.stringify({ sequenceId: lastEvent.attributes.sequenceId }));
    return events.length === res.data.meta.perPage;
  };
  await eventually('all listings are printed', async () => {
    while (await poll());
    return printed.length >= titles.length;
  });
  assert.deepEqual(printed, titles);
});
