// A ban, its end and a deletion, and how they reach every room.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { before, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { SOON_MS, eventually } from '../lib/eventually.js';
import { integrationSdk, marketplaceSdk } from '../lib/sdk.js';
import { Operator, PASSWORD, accessToken, signUp, trusted } from '../lib/people.js';
import { ask, inquiryOn, publish, requestOn, unknownId, word } from '../lib/market.js';
import { anonymousToken, grant, integrationToken, request } from '../lib/raw.js';
import { ids, refused, related } from '../lib/expect.js';

let stoa;
let operator;
let integ;
let visitor;

before(async () => {
  stoa = await startStoa({ virtualClock: true });
  operator = await Operator.signIn(stoa);
  integ = integrationSdk(stoa);
  visitor = marketplaceSdk(stoa);
});

/** The deleted form of a person, as others see it. */
const NOBODY = {
  createdAt: null,
  profile: { displayName: null, abbreviatedName: null, bio: null, publicData: null, metadata: null },
};

function ban(person, reason) {
  return operator.does('users/ban', { id: person.id.uuid, reason });
}

/** Commands of this token are refused from now on. */
function shutOut(token) {
  return eventually(
    'commands are refused',
    async () => {
      const answer = await request(stoa, '/v1/api/own_listings/create', { token, json: { title: 'x' } });
      return answer.status === 403 && answer.body.errors[0].code === 'forbidden';
    },
    SOON_MS
  );
}

function refresh(token) {
  return grant(stoa, {
    client_id: stoa.credentials.marketplaceClientId,
    grant_type: 'refresh_token',
    refresh_token: token,
  });
}

/** Every event of a resource once there are so many; their attributes. */
async function eventsOf(id, count) {
  const found = await eventually(`${count} events`, async () => {
    const answer = await integ.events.query({ resourceId: id.uuid ?? id });
    return answer.data.data.length >= count && answer;
  });
  return found.data.data.map(event => event.attributes);
}

// contract: users 32, 33, 51, operator 3, 4, 5, 8, auth 41, listings L49
test('a ban reaches sessions, listings, reviews and transactions, and nothing of it comes back but the person', async () => {
  const [provider, customer, other] = await Promise.all(
    ['Paula', 'Carl', 'Otto'].map(firstName =>
      signUp(stoa, { firstName, publicData: { city: 'Turku' } })
    )
  );
  const second = marketplaceSdk(stoa);
  await second.login({ username: provider.email, password: PASSWORD });

  // Two listings on the market, a draft, a finished transaction with reviews, a running one.
  const [one, two] = [await publish(provider), await publish(provider)];
  const draft = (await provider.sdk.ownListings.createDraft({ title: 'x' })).data.data.id;
  const finished = await ask(stoa, customer, one);
  await provider.sdk.transactions.transition({ id: finished, transition: 'transition/accept', params: {} });
  await operator.advance({ days: 7, seconds: 1 });
  for (const [person, transition] of [
    [provider, 'transition/review-1-by-provider'],
    [customer, 'transition/review-2-by-customer'],
  ]) {
    const params = { reviewRating: 5, reviewContent: `by ${transition}` };
    await person.sdk.transactions.transition({ id: finished, transition, params });
  }
  const running = await ask(stoa, customer, two);
  await customer.sdk.messages.send({ transactionId: running, content: 'Is it free?' });
  await provider.sdk.messages.send({ transactionId: running, content: 'It is.' });
  const sessions = [provider.sdk.store.getToken(), second.store.getToken()];
  const exchanged = (await provider.sdk.exchangeToken()).data;

  const banned = await ban(provider, 'sold a stolen bike');
  assert.deepEqual(Object.keys(banned.data).sort(), ['id', 'type']);

  // Commands of every token are refused, reads of what is public are not.
  for (const token of [...sessions, exchanged]) await shutOut(token.access_token);
  for (const token of sessions) {
    const path = '/v1/api/current_user/show';
    const shown = await request(stoa, path, { token: token.access_token });
    assert.equal(shown.status, 200);
    assert.equal(shown.body.data.attributes.banned, true);
    assert.equal(shown.body.data.attributes.state, 'banned');
    await refused(refresh(token.refresh_token), 401, 'unauthorized');
    for (const closed of [
      'own_listings/query',
      `own_listings/show?id=${one.uuid}`,
      'transactions/query',
      `transactions/show?id=${running.uuid}`,
      `messages/query?transactionId=${running.uuid}`,
    ]) {
      const answer = await request(stoa, `/v1/api/${closed}`, { token: token.access_token });
      await refused(answer, 403, 'forbidden');
    }
  }
  const sdk = provider.sdk;
  await refused(sdk.messages.send({ transactionId: running, content: 'Hello?' }), 403, 'forbidden');
  await refused(sdk.currentUser.updateProfile({ bio: 'x' }), 403, 'forbidden');
  assert.equal((await sdk.listings.query()).status, 200);
  assert.equal((await sdk.users.show({ id: other.id })).status, 200);

  // A new login works and reaches as far.
  const again = marketplaceSdk(stoa);
  await again.login({ username: provider.email, password: PASSWORD });
  assert.equal((await again.currentUser.show()).data.data.attributes.banned, true);
  await refused(again.ownListings.create({ title: 'x' }), 403, 'forbidden');
  await refused(again.ownListings.query(), 403, 'forbidden');
  assert.equal((await again.listings.query()).status, 200);

  // The listings are gone from every query.
  await eventually(
    'the listings are gone',
    async () => {
      const found = await visitor.listings.query({ ids: [one, two] });
      const inside = await integ.listings.query({ authorId: provider.id.uuid });
      return found.data.data.length === 0 && inside.data.data.length === 0;
    },
    SOON_MS
  );
  for (const id of [one, two, draft]) {
    await refused(other.sdk.listings.show({ id }), 404, 'not-found');
    await refused(integ.listings.show({ id: id.uuid }), 404, 'not-found');
  }

  // Others see that the person is banned, and nothing more.
  await refused(other.sdk.users.show({ id: provider.id }), 404, 'not-found');
  const reviews = await visitor.reviews.query({ subject_id: customer.id.uuid, include: ['author'] });
  assert.equal(reviews.data.data.length, 1);
  assert.equal(reviews.data.data[0].attributes.content, 'by transition/review-1-by-provider');
  assert.deepEqual(reviews.data.included[0].attributes, { banned: true, deleted: false, ...NOBODY });

  // The other party keeps the transaction and can do nothing in it.
  const shown = await customer.sdk.transactions.show({
    id: running,
    include: ['provider', 'listing', 'messages', 'messages.sender'],
  });
  assert.deepEqual(related(shown, 'provider').attributes, { banned: true, deleted: false, ...NOBODY });
  assert.deepEqual(related(shown, 'listing').attributes, { deleted: true });
  assert.equal(shown.data.data.relationships.messages.data.length, 2);
  const write = customer.sdk.messages.send({ transactionId: running, content: 'Hello?' });
  await refused(write, 409, 'transaction-provider-banned-or-deleted');

  // The address stays taken, in any letter case.
  const sameAddress = visitor.currentUser.create({
    email: provider.email.toUpperCase(),
    password: PASSWORD,
    firstName: 'A',
    lastName: 'B',
  });
  await refused(sameAddress, 409, 'email-taken');

  // The operator and the Integration API see everything.
  const full = await integ.users.show({ id: provider.id.uuid });
  assert.equal(full.data.data.attributes.email, provider.email);
  assert.equal(full.data.data.attributes.state, 'banned');
  assert.deepEqual(full.data.data.attributes.profile.publicData, { city: 'Turku' });
  const listed = await operator.get(`users/query?states=banned&perPage=100`);
  assert.ok(listed.body.data.some(user => user.id === provider.id.uuid));

  // One ban, one event; each listing tells its own end.
  await refused(operator.post('users/ban', { id: provider.id.uuid }), 409, 'user-already-banned');
  const events = await eventsOf(provider.id, 2);
  assert.deepEqual(events.map(e => e.eventType), ['user/created', 'user/updated']);
  assert.equal(events[1].source, 'source/console');
  assert.equal(events[1].resource.attributes.state, 'banned');
  assert.equal(events[1].previousValues.attributes.state, 'active');
  assert.ok(events[1].auditData.adminId);
  assert.equal(events[1].auditData.userId, null);
  assert.equal(events[1].auditData.clientId, null);
  for (const id of [one, two, draft]) {
    const told = await eventsOf(id, 2);
    assert.equal(told.at(-1).eventType, 'listing/deleted');
    assert.equal(told.filter(e => e.eventType === 'listing/deleted').length, 1);
  }

  // contract: users 34, operator 6
  await operator.does('users/unban', { id: provider.id.uuid, reason: 'it was another one' });
  const back = marketplaceSdk(stoa);
  await back.login({ username: provider.email, password: PASSWORD });
  assert.equal((await back.currentUser.show()).data.data.attributes.state, 'active');
  const fresh = await eventually(
    'the person can act again',
    async () => {
      try {
        return (await back.ownListings.create({ title: 'Back again' })).data.data.id;
      } catch (error) {
        assert.equal(error.status, 403);
        return null;
      }
    },
    SOON_MS
  );
  assert.deepEqual(ids(await back.ownListings.query()), [fresh.uuid], 'old listings do not come back');
  await refused(visitor.listings.show({ id: one }), 404, 'not-found');
  for (const token of sessions) await refused(refresh(token.refresh_token), 401, 'unauthorized');
  assert.equal((await other.sdk.users.show({ id: provider.id })).data.data.attributes.banned, false);
  await eventually(
    'the transaction goes on',
    async () => {
      const sent = await request(stoa, '/v1/api/messages/send', {
        token: accessToken(customer),
        json: { transactionId: running.uuid, content: 'Welcome back' },
      });
      return sent.status === 200;
    },
    SOON_MS
  );
  await refused(operator.post('users/unban', { id: provider.id.uuid }), 409, 'user-not-banned');
});

// contract: transactions T46
test('time and the operator move a transaction of a banned party, the other party does not', async () => {
  const [provider, customer] = await Promise.all([signUp(stoa), signUp(stoa)]);
  const listing = await publish(provider);
  const [expiring, canceled] = [await ask(stoa, customer, listing), await ask(stoa, customer, listing)];
  await ban(customer);
  await shutOut(accessToken(customer));
  await eventually(
    'the other party is refused',
    async () => {
      const answer = await request(stoa, '/v1/api/transactions/transition', {
        token: accessToken(provider),
        json: { id: expiring.uuid, transition: 'transition/unheard-of', params: {} },
      });
      return answer.body.errors[0].code === 'transaction-customer-banned-or-deleted';
    },
    SOON_MS
  );
  const accept = { id: expiring, transition: 'transition/accept', params: {} };
  await refused(
    provider.sdk.transactions.transition(accept),
    409,
    'transaction-customer-banned-or-deleted'
  );
  const cancel = { id: canceled.uuid, transition: 'transition/cancel-from-requested', params: {} };
  assert.equal((await integ.transactions.transition(cancel)).status, 200);
  await operator.advance({ days: 6, seconds: 1 });
  const state = async id => {
    const shown = await provider.sdk.transactions.show({ id });
    return shown.data.data.attributes.state;
  };
  assert.equal(await state(expiring), 'state/expired');
  assert.equal(await state(canceled), 'state/canceled');
});

test('a ban ends the hope of a new transaction with the person', async () => {
  const [provider, customer] = await Promise.all([signUp(stoa), signUp(stoa)]);
  const listing = await publish(provider);
  await ban(provider);
  await shutOut(accessToken(provider));
  const code = await eventually('the listing is gone', async () => {
    const answer = await request(stoa, '/v1/api/transactions/initiate', {
      token: accessToken(customer),
      json: inquiryOn(listing.uuid),
    });
    return answer.status === 409 && answer.body.errors[0].code;
  }, SOON_MS);
  assert.match(code, /^transaction-(listing-not-found|provider-banned-or-deleted)$/);
  await eventually('no listing is made for a banned author', async () => {
    const answer = await request(stoa, '/v1/integration_api/listings/create', {
      token: await integrationToken(stoa),
      json: { title: 'x', authorId: provider.id.uuid, state: 'published' },
    });
    return answer.status === 409 && answer.body.errors[0].code === 'user-is-banned';
  }, SOON_MS);
});

// contract: users 35, 36, 37, listings L50, transactions T38, engine E66
test('a deleted person leaves every room, and the other party keeps what is theirs', async () => {
  const marker = word('marker');
  const data = kind => ({ [kind]: `${marker}-${kind}` });
  const provider = await signUp(stoa, {
    firstName: `First${marker}`,
    lastName: `Last${marker}`,
    bio: `bio ${marker}`,
    publicData: data('public'),
    protectedData: data('protected'),
    privateData: data('private'),
  });
  await integ.users.updateProfile({ id: provider.id.uuid, metadata: data('metadata') });
  const customer = await signUp(stoa);
  const listing = await publish(provider, {
    title: `Bike ${marker}`,
    description: marker,
    privateData: data('place'),
  });
  const draft = (await provider.sdk.ownListings.createDraft({ title: `Draft ${marker}` })).data.data.id;
  const running = await ask(stoa, customer, listing);
  await provider.sdk.messages.send({ transactionId: running, content: 'It is free.' });
  const before = provider.sdk.store.getToken();

  const sdk = await trusted(stoa, provider);
  const gone = await sdk.currentUser.delete({ currentPassword: PASSWORD }, { expand: true });
  assert.equal(gone.data.data.type, 'currentUser');
  assert.equal(gone.data.data.id.uuid, provider.id.uuid);
  assert.equal(gone.data.data.attributes.deleted, true);
  assert.equal(gone.data.data.attributes.email, null);
  assert.equal(gone.data.data.attributes.profile.firstName, null);

  // All tokens end within a second, those too that a refresh yields in it.
  const tokens = [before.access_token];
  await eventually(
    'the refresh token ends',
    async () => {
      const answer = await refresh(before.refresh_token);
      if (answer.status === 200) tokens.push(answer.body.access_token);
      return answer.status === 401;
    },
    SOON_MS
  );
  for (const token of tokens) {
    await eventually(
      'the access token ends',
      async () => (await request(stoa, '/v1/api/current_user/show', { token })).status === 401,
      SOON_MS
    );
  }
  await refused(marketplaceSdk(stoa).login({ username: provider.email, password: PASSWORD }), 401);
  await provider.sdk.logout();
  assert.ok(!provider.sdk.store.getToken());

  // Gone for everyone.
  await refused(customer.sdk.users.show({ id: provider.id }), 404, 'not-found');
  await refused(integ.users.show({ id: provider.id.uuid }), 404, 'not-found');
  await refused(integ.users.show({ email: provider.email }), 404, 'not-found');
  await eventually(
    'the listings are gone',
    async () => (await visitor.listings.query({ ids: [listing] })).data.data.length === 0,
    SOON_MS
  );
  for (const id of [listing, draft]) {
    await eventually('the listing is gone', async () => {
      const answer = await request(stoa, `/v1/integration_api/listings/show?id=${id.uuid}`, {
        token: await integrationToken(stoa),
      });
      return answer.status === 404;
    });
  }
  const deleted = await operator.get('users/query?states=deleted&perPage=100');
  const form = deleted.body.data.find(user => user.id === provider.id.uuid);
  assert.equal(form.attributes.deleted, true);
  assert.equal(form.attributes.email, null);
  const unlisted = await operator.get('users/query?perPage=100');
  assert.ok(!unlisted.body.data.some(user => user.id === provider.id.uuid));

  // The other party keeps transaction and messages, with a deleted form in place of the person.
  const shown = await customer.sdk.transactions.show({
    id: running,
    include: ['provider', 'listing', 'messages', 'messages.sender'],
  });
  assert.deepEqual(related(shown, 'provider').attributes, { banned: false, deleted: true, ...NOBODY });
  assert.deepEqual(related(shown, 'listing').attributes, { deleted: true });
  const [message] = shown.data.included.filter(r => r.type === 'message');
  assert.equal(message.attributes.content, 'It is free.');
  assert.equal(message.relationships.sender.data.id.uuid, provider.id.uuid);
  await eventually('the other party is refused', async () => {
    const answer = await request(stoa, '/v1/api/messages/send', {
      token: accessToken(customer),
      json: { transactionId: running.uuid, content: 'Hello?' },
    });
    return answer.status === 409 && answer.body.errors[0].code === 'transaction-provider-banned-or-deleted';
  });
  const cancel = { id: running.uuid, transition: 'transition/cancel-from-requested', params: {} };
  await refused(integ.transactions.transition(cancel), 409, 'transaction-provider-banned-or-deleted');
  await operator.advance({ days: 30 });
  const still = await customer.sdk.transactions.show({ id: running });
  assert.equal(still.data.data.attributes.state, 'state/requested', 'time moves it no more');

  // contract: operator 7, users 8
  // Personal values leave the stored events, those of the listings too, within a minute.
  await eventually(
    'stored events hold nothing personal',
    async () => {
      const answer = await request(
        stoa,
        `/v1/integration_api/events/query?relatedResourceId=${provider.id.uuid}`,
        { token: await integrationToken(stoa) }
      );
      assert.ok(answer.body.data.length >= 5);
      return !answer.text.includes(marker) && !answer.text.includes(provider.email);
    },
    60_000
  );
  const events = await eventsOf(provider.id, 3);
  assert.equal(events.at(-1).eventType, 'user/deleted');
  assert.equal(events.at(-1).resource, null);
  assert.equal(events[0].resource.attributes.email, null);

  // And every file of the installation.
  if (stoa.data) {
    await eventually(
      'no file holds anything personal',
      async () => !(await foundIn(stoa.data, [marker, provider.email])),
      60_000
    );
  }

  // The address is free at once, for somebody new.
  const successor = await signUp(stoa, { email: provider.email });
  assert.notEqual(successor.id.uuid, provider.id.uuid);
  const profile = (await successor.sdk.currentUser.show()).data.data.attributes.profile;
  assert.equal(profile.firstName, 'Olli');
  assert.deepEqual(profile.privateData, {});
  assert.deepEqual((await successor.sdk.ownListings.query()).data.data, []);
  assert.deepEqual((await successor.sdk.transactions.query()).data.data, []);
});

/** The name of a file below the folder that holds one of the texts, or null. */
async function foundIn(folder, texts) {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    const bytes = await readFile(file).catch(() => Buffer.alloc(0));
    if (texts.some(text => bytes.includes(text))) return file;
  }
  return null;
}

// contract: operator 7
test('an operator deletes a user for good', async () => {
  const person = await signUp(stoa);
  const listing = await publish(person);
  const answer = await operator.does('users/delete', { id: person.id.uuid, reason: 'asked by letter' });
  assert.equal(answer.data.id, person.id.uuid);
  await refused(operator.post('users/delete', { id: person.id.uuid }), 409, 'user-deleted');
  await refused(operator.post('users/ban', { id: person.id.uuid }), 409, 'user-deleted');
  await refused(operator.post('users/unban', { id: person.id.uuid }), 409);
  await eventually('the access token ends', async () => {
    return (await request(stoa, '/v1/api/listings/query', { token: accessToken(person) })).status === 401;
  }, SOON_MS);
  await eventually('the listing is gone', async () => {
    const shown = await request(stoa, `/v1/api/listings/show?id=${listing.uuid}`, {
      token: await anonymousToken(stoa),
    });
    return shown.status === 404;
  });
  const events = await eventsOf(person.id, 2);
  assert.equal(events.at(-1).source, 'source/console');
  assert.ok(events.at(-1).auditData.adminId);
});

// contract: users 34
test('a banned user can be deleted, and the address is free then', async () => {
  const person = await signUp(stoa);
  await ban(person);
  await operator.does('users/delete', { id: person.id.uuid });
  const again = await signUp(stoa, { email: person.email });
  assert.notEqual(again.id.uuid, person.id.uuid);
});

// contract: operator 1
test('no other token opens the operator’s doors, and nothing changes', async () => {
  const victim = await signUp(stoa);
  const person = await signUp(stoa);
  const exchanged = (await person.sdk.exchangeToken()).data;
  const tokens = [
    accessToken(person),
    exchanged.access_token,
    await anonymousToken(stoa),
    await integrationToken(stoa),
  ];
  for (const token of tokens) {
    for (const command of ['users/ban', 'users/unban', 'users/delete']) {
      const answer = await request(stoa, `/v1/operator_api/${command}`, {
        token,
        json: { id: victim.id.uuid },
      });
      await refused(answer, 403, 'forbidden');
    }
    await refused(request(stoa, '/v1/operator_api/users/query', { token }), 403, 'forbidden');
  }
  const none = await request(stoa, '/v1/operator_api/users/ban', { json: { id: victim.id.uuid } });
  await refused(none, 401, 'auth-missing-access-token');
  assert.equal((await victim.sdk.currentUser.show()).data.data.attributes.state, 'active');
});

// contract: operator 2
test('an operator is no user', async () => {
  const token = operator.token.access_token;
  for (const [path, json] of [
    ['own_listings/create', { title: 'x' }],
    ['messages/send', { transactionId: unknownId().uuid, content: 'x' }],
    ['current_user/show', undefined],
  ]) {
    await refused(request(stoa, `/v1/api/${path}`, { token, json }), 403, 'forbidden');
  }
  await refused(request(stoa, '/v1/integration_api/users/query', { token }), 403, 'forbidden');
});

test('operator commands name what is wrong with them', async () => {
  await refused(operator.post('users/ban', {}), 400, 'validation-missing-key', ['id']);
  await refused(operator.post('users/ban', { id: 'x' }), 400, 'validation-invalid-value', ['id']);
  const id = unknownId().uuid;
  for (const command of ['ban', 'unban', 'delete']) {
    await refused(operator.post(`users/${command}`, { id }), 409, 'user-not-found');
  }
  await refused(operator.get(`users/show?id=${id}`), 404, 'not-found');
  await refused(operator.post('users/ban', { id, reason: '' }), 400, 'validation-invalid-value', ['reason']);
  await refused(operator.post('users/ban', { id, colour: 1 }), 400, 'validation-disallowed-key', ['colour']);
});

test('the operator API speaks Transit too', async () => {
  const person = await signUp(stoa);
  const answer = await request(stoa, '/v1/operator_api/users/ban?expand=true', {
    token: operator.token.access_token,
    bytes: `["^ ","~:id","~u${person.id.uuid}"]`,
    type: 'application/transit+json',
    headers: { accept: 'application/transit+json' },
  });
  assert.equal(answer.status, 200);
  assert.match(answer.kind, /^application\/transit\+json/);
  assert.match(answer.text, /"~:banned",true/);
});

// contract: users 51
test('commands that run while a ban comes are either done before it or refused after it', async () => {
  const person = await signUp(stoa);
  const token = accessToken(person);
  let open = true;
  const answers = [];
  const writer = (async () => {
    while (open) {
      const answer = await request(stoa, '/v1/api/own_listings/create', { token, json: { title: 'x' } });
      answers.push(answer.status);
      if (answer.status !== 200) open = false;
    }
  })();
  await eventually('some commands are done', async () => answers.length > 3);
  await ban(person);
  await eventually('the writer is refused', async () => !open, SOON_MS);
  await writer;
  assert.equal(answers.at(-1), 403);
  assert.ok(answers.slice(0, -1).every(status => status === 200));
  await eventually('not one listing is left', async () => {
    const left = await integ.listings.query({ authorId: person.id.uuid });
    return left.data.meta.totalItems === 0;
  });
  const found = await visitor.listings.query({ authorId: person.id.uuid });
  assert.equal(found.data.meta.totalItems, 0);
  await refused(
    request(stoa, '/v1/api/transactions/initiate', { token, json: requestOn(unknownId().uuid) }),
    403,
    'forbidden'
  );
});
