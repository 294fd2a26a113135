// Life and visibility of listings.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import {
  LatLng,
  Money,
  functionsOf,
  integrationSdk,
  integrationTypes,
  marketplaceSdk,
  types,
} from '../lib/sdk.js';
import { accessToken, signUp } from '../lib/people.js';
import { publish, unknownId } from '../lib/market.js';
import { anonymousToken, request } from '../lib/raw.js';
import { SOON_MS, eventually } from '../lib/eventually.js';
import { ids, refused, related } from '../lib/expect.js';

let stoa;
let integ;
let author;
let other;
let visitor;

before(async () => {
  stoa = await startStoa();
  integ = integrationSdk(stoa);
  [author, other] = await Promise.all([signUp(stoa), signUp(stoa)]);
  visitor = marketplaceSdk(stoa);
});

const expand = { expand: true };

/** A listing as its author sees it. */
async function own(id, params = {}) {
  const shown = await author.sdk.ownListings.show({ id, ...params });
  return shown.data.data;
}

async function draft(fields = {}) {
  const created = await author.sdk.ownListings.createDraft({ title: 'A draft', ...fields });
  return created.data.data.id;
}

// contract: listings L1
test('a created listing is published and belongs to its creator', async () => {
  const created = await author.sdk.ownListings.create(
    { title: 'City bike' },
    { expand: true, include: ['author'] }
  );
  const { type, attributes } = created.data.data;
  assert.equal(type, 'ownListing');
  assert.equal(attributes.title, 'City bike');
  assert.equal(attributes.state, 'published');
  assert.equal(attributes.deleted, false);
  assert.equal(attributes.description, null);
  assert.equal(attributes.price, null);
  assert.equal(attributes.geolocation, null);
  assert.deepEqual(attributes.publicData, {});
  assert.deepEqual(attributes.privateData, {});
  assert.deepEqual(attributes.metadata, {});
  assert.equal(related(created, 'author').id.uuid, author.id.uuid);
});

test('money, place and time arrive as types of the SDK', async () => {
  const id = await publish(author, { price: new Money(2500, 'EUR'), geolocation: new LatLng(60.16, 24.94) });
  const { attributes } = (await visitor.listings.show({ id })).data.data;
  assert.ok(attributes.price instanceof Money);
  assert.deepEqual({ ...attributes.price }, { ...new Money(2500, 'EUR') });
  assert.ok(attributes.geolocation instanceof LatLng);
  assert.deepEqual({ ...attributes.geolocation }, { ...new LatLng(60.16, 24.94) });
  assert.ok(attributes.createdAt instanceof Date);
});

// contract: listings L3, wire W12
test('a command without expand answers with id and type only', async () => {
  const created = await author.sdk.ownListings.createDraft({ title: 'A draft' });
  assert.deepEqual(Object.keys(created.data), ['data']);
  assert.deepEqual(Object.keys(created.data.data).sort(), ['id', 'type']);
});

// contract: listings L4
test('a draft is not public, not even for its author', async () => {
  const id = await draft();
  await refused(author.sdk.listings.show({ id }), 404, 'not-found');
  assert.equal((await own(id)).attributes.state, 'draft');
  assert.equal((await integ.listings.show({ id: id.uuid })).data.data.attributes.state, 'draft');
});

test('a published draft is on the market', async () => {
  const id = await draft();
  const published = await author.sdk.ownListings.publishDraft({ id }, expand);
  assert.equal(published.data.data.attributes.state, 'published');
  assert.equal((await visitor.listings.show({ id })).data.data.type, 'listing');
});

// contract: listings L5, integration I6
test('a listing that waits for approval is hidden until the Integration API approves it', async () => {
  const created = await integ.listings.create({
    title: 'Waits',
    authorId: author.id.uuid,
    state: 'pendingApproval',
  });
  const id = created.data.data.id.uuid;
  await refused(visitor.listings.show({ id }), 404, 'not-found');
  assert.equal((await own(id)).attributes.state, 'pendingApproval');
  const waiting = { states: ['pendingApproval'], authorId: author.id.uuid };
  await eventually('it is found', async () => ids(await integ.listings.query(waiting)).join() === id, SOON_MS);
  await integ.listings.approve({ id });
  assert.equal((await visitor.listings.show({ id })).data.data.attributes.state, 'published');
  await refused(integ.listings.approve({ id }), 409, 'listing-invalid-state');
});

// contract: listings L6
test('an update of a published listing leaves it published', async () => {
  const id = await publish(author);
  const updated = await author.sdk.ownListings.update({ id, title: 'New title' }, expand);
  assert.equal(updated.data.data.attributes.title, 'New title');
  assert.equal(updated.data.data.attributes.state, 'published');
});

// contract: listings L7
test('only a draft can be published or discarded, only what fits opened or closed', async () => {
  const id = await publish(author);
  for (const command of ['publishDraft', 'discardDraft', 'open']) {
    await refused(author.sdk.ownListings[command]({ id }), 409, 'listing-invalid-state');
  }
  await author.sdk.ownListings.close({ id });
  await refused(author.sdk.ownListings.close({ id }), 409, 'listing-invalid-state');
  await refused(author.sdk.ownListings.close({ id: await draft() }), 409, 'listing-invalid-state');
});

// contract: listings L8, L9, L21
test('a closed listing leaves the market and comes back, also by an id as plain text', async () => {
  const id = await publish(author);
  const closed = await author.sdk.ownListings.close({ id: id.uuid }, expand);
  assert.equal(closed.data.data.attributes.state, 'closed');
  assert.equal(closed.data.data.attributes.title, 'City bike', 'with expand all attributes are there');
  await refused(visitor.listings.show({ id }), 404, 'not-found');
  await eventually(
    'it is not found',
    async () => ids(await visitor.listings.query({ ids: [id] })).length === 0,
    SOON_MS
  );
  assert.equal((await own(id)).attributes.state, 'closed');
  await author.sdk.ownListings.open({ id: id.uuid });
  assert.equal((await visitor.listings.show({ id })).data.data.attributes.state, 'published');
});

test('the Integration API closes and opens anyone’s listing', async () => {
  const id = await publish(author);
  await integ.listings.close({ id: id.uuid });
  await refused(visitor.listings.show({ id }), 404, 'not-found');
  await integ.listings.open({ id: id.uuid });
  assert.equal((await visitor.listings.show({ id })).status, 200);
});

// contract: listings L11
test('a discarded draft is gone and the answer names it', async () => {
  const id = await draft();
  const discarded = await author.sdk.ownListings.discardDraft({ id }, expand);
  assert.equal(discarded.status, 200);
  assert.equal(discarded.data.data.id.uuid, id.uuid);
  assert.equal(discarded.data.data.type, 'ownListing');
  await refused(author.sdk.ownListings.show({ id }), 404, 'not-found');
  await refused(author.sdk.ownListings.update({ id, title: 'x' }), 409, 'listing-not-found');
});

// contract: listings L12
test('public data is merged by top-level keys', async () => {
  const id = await publish(author, { publicData: { a: 1, b: { c: 1, d: 2 } } });
  const updated = await author.sdk.ownListings.update({ id, publicData: { b: { c: 9 }, a: null } }, expand);
  assert.deepEqual(updated.data.data.attributes.publicData, { b: { c: 9 } });
});

test('null clears what may be empty, and a title may not', async () => {
  const id = await publish(author, {
    description: 'x',
    price: new Money(1, 'EUR'),
    geolocation: new LatLng(1, 2),
  });
  const cleared = await author.sdk.ownListings.update(
    { id, description: null, price: null, geolocation: null },
    expand
  );
  const { description, price, geolocation } = cleared.data.data.attributes;
  assert.deepEqual([description, price, geolocation], [null, null, null]);
  await refused(author.sdk.ownListings.update({ id, title: null }), 400, undefined, ['title']);
});

// contract: listings L13
test('public data over its limit after the merge is refused and nothing is stored', async () => {
  const id = await publish(author, { publicData: { a: 'x'.repeat(30_000) } });
  const call = author.sdk.ownListings.update({ id, title: 'New', publicData: { b: 'x'.repeat(30_000) } });
  await refused(call, 400, 'validation-invalid-value', ['publicData']);
  const { attributes } = await own(id);
  assert.equal(attributes.title, 'City bike');
  assert.deepEqual(Object.keys(attributes.publicData), ['a']);
});

// contract: listings L14
test('an author cannot write metadata, state or author', async () => {
  for (const [key, value] of Object.entries({ metadata: { x: 1 }, state: 'draft', authorId: other.id.uuid })) {
    const call = author.sdk.ownListings.create({ title: 'x', [key]: value });
    await refused(call, 400, 'validation-disallowed-key', [key]);
  }
});

// contract: listings L15
test('private data stays with the author, metadata is public', async () => {
  const id = await publish(author, { privateData: { secret: 1 } });
  await integ.listings.update({ id: id.uuid, metadata: { promoted: true } });
  const shown = (await visitor.listings.show({ id })).data.data.attributes;
  assert.ok(!('privateData' in shown));
  assert.deepEqual(shown.metadata, { promoted: true });
  assert.deepEqual((await own(id)).attributes.privateData, { secret: 1 });
  const all = (await integ.listings.show({ id: id.uuid })).data.data.attributes;
  assert.deepEqual(all.privateData, { secret: 1 });
});

// contract: listings L16, L17
test('visitors see type and zone of the availability plan, the author sees its entries', async () => {
  const availabilityPlan = {
    type: 'availability-plan/time',
    timezone: 'Europe/Helsinki',
    entries: [{ dayOfWeek: 'mon', startTime: '09:00', endTime: '17:00', seats: 2 }],
  };
  const id = await publish(author, { availabilityPlan });
  const shown = (await visitor.listings.show({ id })).data.data.attributes;
  assert.deepEqual(shown.availabilityPlan, {
    type: 'availability-plan/time',
    timezone: 'Europe/Helsinki',
  });
  assert.deepEqual((await own(id)).attributes.availabilityPlan, availabilityPlan);
});

// contract: listings L20
test('money as a plain map is taken, and read back as money', async () => {
  const created = await integ.listings.create(
    { title: 'Plain', authorId: author.id.uuid, state: 'published', price: { amount: 1590, currency: 'USD' } },
    expand
  );
  const { price } = created.data.data.attributes;
  assert.ok(price instanceof integrationTypes.Money);
  assert.equal(price.amount, 1590);
  assert.equal(price.currency, 'USD');
});

// contract: listings L22
test('the Integration API names author and state of a listing that it makes', async () => {
  const fields = { title: 'x', authorId: author.id.uuid };
  await refused(integ.listings.create(fields), 400, 'validation-missing-key', ['state']);
  await refused(integ.listings.create({ ...fields, state: 'draft' }), 400, 'validation-invalid-value', ['state']);
  const nobody = integ.listings.create({ ...fields, authorId: unknownId().uuid, state: 'published' });
  await refused(nobody, 409, 'user-not-found');
});

// contract: listings L57
test('somebody else’s listing can be neither changed nor seen from inside', async () => {
  const id = await publish(author, { title: 'Mine' });
  await refused(other.sdk.ownListings.update({ id, title: 'Taken' }), 403, 'forbidden');
  await refused(other.sdk.ownListings.close({ id }), 403, 'forbidden');
  await refused(other.sdk.ownListings.show({ id }), 403, 'forbidden');
  await refused(visitor.ownListings.update({ id, title: 'Taken' }), 403, 'forbidden');
  assert.equal((await own(id)).attributes.title, 'Mine');
  assert.equal((await own(id)).attributes.state, 'published');
});

// contract: listings L58
test('an unknown listing is a conflict for commands and not found for reads', async () => {
  const id = unknownId();
  await refused(author.sdk.ownListings.update({ id, title: 'x' }), 409, 'listing-not-found');
  await refused(author.sdk.ownListings.show({ id }), 404, 'not-found');
  await refused(visitor.listings.show({ id }), 404, 'not-found');
  await refused(integ.listings.update({ id: id.uuid, title: 'x' }), 409, 'listing-not-found');
});

test('bad values are refused with the path to them', async () => {
  const price = (amount, currency) => ({ title: 'x', price: { amount, currency } });
  for (const [body, path] of [
    [{ title: '' }, ['title']],
    [price(1.5, 'EUR'), ['price', 'amount']],
    [price(1, 'euro'), ['price', 'currency']],
    [{ title: 'x', geolocation: { lat: 91, lng: 0 } }, ['geolocation']],
    [{ title: 'x', publicData: [] }, ['publicData']],
  ]) {
    await refused(author.sdk.ownListings.create(body), 400, 'validation-invalid-value', path);
  }
  const negative = author.sdk.ownListings.create(price(-1, 'EUR'));
  const error = await refused(negative, 400, 'validation-invalid-value');
  assert.equal(error.source.path[0], 'price');
  await refused(author.sdk.ownListings.create({}), 400, 'validation-missing-key', ['title']);
});

// contract: wire W13
test('relationships come only when they are asked for', async () => {
  const id = await publish(author);
  const bare = await visitor.listings.show({ id });
  assert.ok(!('relationships' in bare.data.data));
  assert.ok(!bare.data.included?.length);

  const full = await visitor.listings.show({
    id,
    include: ['author', 'author.profileImage', 'images', 'currentStock', 'nothing.known'],
  });
  const { relationships } = full.data.data;
  assert.deepEqual(Object.keys(relationships).sort(), ['author', 'currentStock', 'images']);
  assert.deepEqual(relationships.images, { data: [] });
  assert.deepEqual(relationships.currentStock, { data: null });
  const included = related(full, 'author');
  assert.deepEqual(included.relationships, { profileImage: { data: null } });
});

// contract: wire W11
test('sparse fields name attributes, also inside objects, and none is none', async () => {
  const id = await publish(author, { publicData: { colour: 'red', size: 3 } });
  const shown = await visitor.listings.show({
    id,
    include: 'author',
    'fields.listing': ['title', 'publicData.colour'],
    'fields.user': 'none',
  });
  assert.deepEqual(shown.data.data.attributes, { title: 'City bike', publicData: { colour: 'red' } });
  assert.deepEqual(related(shown, 'author').attributes, {});
  const byName = await visitor.listings.show({
    id,
    include: 'author',
    'fields.user': 'profile.displayName,profile.abbreviatedName',
  });
  assert.deepEqual(related(byName, 'author').attributes, {
    profile: { displayName: 'Olli F', abbreviatedName: 'OF' },
  });
});

// contract: wire W10
test('an unknown query key is refused where it is not forwarded by search pages', async () => {
  const call = visitor.users.show({ id: author.id, foo: 1 });
  const error = await refused(call, 400, 'validation-disallowed-key', ['foo']);
  assert.equal(error.source.type, 'query');
  await refused(visitor.listings.show({ id: unknownId(), foo: 1 }), 400, 'validation-disallowed-key');
  await refused(integ.listings.query({ foo: 1 }), 400, 'validation-disallowed-key', ['foo']);
  assert.equal((await visitor.listings.query({ foo: 1 })).status, 200);
  assert.equal((await author.sdk.ownListings.query({ foo: 1 })).status, 200);
});

test('twenty listings written at once are all there', async () => {
  const person = await signUp(stoa);
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, n) => publish(person, { title: `Bike ${n}` }))
  );
  const found = await person.sdk.ownListings.query();
  assert.deepEqual(ids(found).sort(), made.map(id => id.uuid).sort());
  assert.equal(found.data.meta.totalItems, 20);
});

// contract: transactions T45
test('bookings, reviews and deleted listings are made by no endpoint', async () => {
  const token = accessToken(author);
  for (const path of ['bookings/create', 'reviews/create', 'own_listings/delete', 'listings/delete']) {
    await refused(request(stoa, `/v1/api/${path}`, { token, json: {} }), 404, 'not-found');
  }
  assert.ok(functionsOf(author.sdk).includes('ownListings.discardDraft'));
});

test('a listing takes JSON with the same meaning', async () => {
  const token = accessToken(author);
  const created = await request(stoa, '/v1/api/own_listings/create?expand=true', {
    token,
    json: {
      title: 'By JSON',
      price: { amount: 900, currency: 'EUR' },
      geolocation: { lat: 60.1, lng: 24.9 },
      publicData: { '~tilde': 1 },
    },
  });
  assert.equal(created.status, 200);
  const { data } = created.body;
  assert.equal(typeof data.id, 'string');
  assert.deepEqual(data.attributes.price, { amount: 900, currency: 'EUR' });
  const shown = await visitor.listings.show({ id: new types.UUID(data.id) });
  assert.ok(shown.data.data.attributes.price instanceof Money);
  assert.deepEqual(shown.data.data.attributes.publicData, { '~tilde': 1 });
});

// contract: wire W9
test('without an Accept header the answer is JSON', async () => {
  const id = await publish(author, { price: new Money(100, 'EUR') });
  const answer = await request(stoa, `/v1/api/listings/show?id=${id.uuid}`, {
    token: await anonymousToken(stoa),
  });
  assert.match(answer.kind, /^application\/json/);
  assert.equal(answer.body.data.id, id.uuid);
  assert.deepEqual(answer.body.data.attributes.price, { amount: 100, currency: 'EUR' });
});
