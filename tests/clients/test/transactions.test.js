// The shipped process `free-request` from request to review. Time is moved with the virtual clock.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { eventually } from '../lib/eventually.js';
import { BigDecimal, Money, integrationSdk, marketplaceSdk } from '../lib/sdk.js';
import { Operator, accessToken, signUp, trusted } from '../lib/people.js';
import { LINE_ITEMS, ask, inquiryOn, publish, requestOn, unknownId, word } from '../lib/market.js';
import { request } from '../lib/raw.js';
import { ids, plain, refused, related } from '../lib/expect.js';

let stoa;
let operator;
let integ;
let provider;
let customer;
let stranger;
let listing;
let shop;

before(async () => {
  stoa = await startStoa({ virtualClock: true });
  operator = await Operator.signIn(stoa);
  integ = integrationSdk(stoa);
  [provider, customer, stranger] = await Promise.all(
    ['Paula', 'Carl', 'Sam'].map(firstName => signUp(stoa, { firstName }))
  );
  listing = await publish(provider, { title: 'City bike' });
  shop = await trusted(stoa, customer);
});

/** One more step of a transaction by this person; the expanded transaction. */
async function step(person, id, transition, params) {
  const answer = await person.sdk.transactions.transition(
    { id, transition: `transition/${transition}`, params },
    { expand: true }
  );
  return answer.data.data.attributes;
}

/** A transaction as this person sees it. */
async function show(person, id, params = {}) {
  return person.sdk.transactions.show({ id, ...params });
}

async function attributes(person, id) {
  return (await show(person, id)).data.data.attributes;
}

/** A requested transaction; its id. */
function requested(params = {}) {
  return ask(stoa, customer, listing, params);
}

/** A transaction whose time has run to completion; its id. */
async function completed() {
  const id = await requested();
  await step(provider, id, 'accept');
  await operator.advance({ days: 7, seconds: 1 });
  assert.equal((await attributes(customer, id)).state, 'state/completed');
  return id;
}

const review = (reviewRating, reviewContent) => ({ reviewRating, reviewContent });

const zero = { amount: 0, currency: 'EUR' };

// contract: engine E67, E69, walk F1
test('walk F1: requested, accepted, completed by time, reviewed by both', async () => {
  const id = await requested();
  assert.equal((await attributes(customer, id)).state, 'state/requested');
  assert.equal((await step(provider, id, 'accept')).state, 'state/accepted');
  await operator.advance({ days: 6 });
  assert.equal((await attributes(customer, id)).state, 'state/accepted', 'not before its time');
  await operator.advance({ days: 1, seconds: 1 });
  assert.equal((await attributes(customer, id)).state, 'state/completed');
  assert.equal(
    (await step(customer, id, 'review-1-by-customer', review(5, 'Great bike'))).state,
    'state/reviewed-by-customer'
  );
  const done = await step(provider, id, 'review-2-by-provider', review(4, 'Came late'));
  assert.equal(done.state, 'state/reviewed');
  assert.deepEqual(
    done.transitions.map(entry => [entry.transition, entry.by]),
    [
      ['transition/request', 'customer'],
      ['transition/accept', 'provider'],
      ['transition/complete', 'system'],
      ['transition/review-1-by-customer', 'customer'],
      ['transition/review-2-by-provider', 'provider'],
    ]
  );
  const visitor = marketplaceSdk(stoa);
  const ofListing = await visitor.reviews.query({ listing_id: listing.uuid, state: 'public' });
  const ours = ofListing.data.data.filter(r => ['Great bike', 'Came late'].includes(r.attributes.content));
  assert.equal(ours.length, 2);
});

// contract: engine walk F2, transactions T22
test('walk F2: a declined request is reversed to nothing', async () => {
  const id = await requested();
  const declined = await step(provider, id, 'decline');
  assert.equal(declined.state, 'state/declined');
  assert.deepEqual(plain(declined.payinTotal), zero);
  assert.deepEqual(plain(declined.payoutTotal), zero);
  const [day, fee, dayBack, feeBack] = plain(declined.lineItems);
  assert.deepEqual([day.reversal, fee.reversal, dayBack.reversal, feeBack.reversal], [
    false,
    false,
    true,
    true,
  ]);
  assert.deepEqual(dayBack.lineTotal, { amount: -5000, currency: 'EUR' });
  assert.equal(dayBack.quantity, -2);
  assert.deepEqual(feeBack.lineTotal, { amount: 500, currency: 'EUR' });
  assert.equal(feeBack.percentage, 10);
  assert.deepEqual(feeBack.includeFor, ['provider']);
});

// contract: engine walk F3
test('walk F3: an unanswered request expires by time', async () => {
  const id = await requested();
  await operator.advance({ days: 6, seconds: 1 });
  const expired = await attributes(customer, id);
  assert.equal(expired.state, 'state/expired');
  assert.equal(expired.transitions.at(-1).by, 'system');
  assert.deepEqual(plain(expired.payinTotal), zero);
  const took = expired.lastTransitionedAt - expired.createdAt;
  // Where time stands still the timer was made due instead.
  if (!stoa.advance) assert.ok(took >= 6 * 86_400_000, 'not earlier than six days');
});

// contract: engine walk F4, E29, E61
test('walk F4: the operator cancels through the Integration API, with metadata', async () => {
  const accepted = await requested();
  await step(provider, accepted, 'accept');
  const canceled = await integ.transactions.transition(
    { id: accepted.uuid, transition: 'transition/cancel', params: { metadata: { why: 'rain' } } },
    { expand: true }
  );
  const after = canceled.data.data.attributes;
  assert.equal(after.state, 'state/canceled');
  assert.deepEqual(after.metadata, { why: 'rain' });
  assert.equal(after.transitions.at(-1).by, 'operator');
  assert.deepEqual(plain(after.payoutTotal), zero);

  const open = await requested();
  await integ.transactions.transition({
    id: open.uuid,
    transition: 'transition/cancel-from-requested',
    params: {},
  });
  assert.equal((await attributes(customer, open)).state, 'state/canceled');
});

// contract: engine walk F5, E27, E58, transactions T33, T34
test('walk F5: a review stays with its author until the other one or the time publishes it', async () => {
  const id = await completed();
  await step(provider, id, 'review-1-by-provider', review(3, 'Fine customer'));
  const late = customer.sdk.transactions.transition({
    id,
    transition: 'transition/review-1-by-customer',
    params: review(1, 'x'),
  });
  await refused(late, 409, 'transaction-invalid-transition');

  const forCustomer = await show(customer, id, { include: ['reviews'] });
  assert.deepEqual(forCustomer.data.data.relationships.reviews.data, []);
  const forProvider = await show(provider, id, { include: ['reviews', 'reviews.author', 'reviews.subject'] });
  assert.equal(forProvider.data.data.relationships.reviews.data.length, 1);
  const [own] = forProvider.data.included.filter(r => r.type === 'review');
  assert.equal(own.attributes.state, 'pending');
  assert.equal(own.attributes.type, 'ofCustomer');
  assert.equal(own.relationships.author.data.id.uuid, provider.id.uuid);
  assert.equal(own.relationships.subject.data.id.uuid, customer.id.uuid);

  await operator.advance({ days: 7, seconds: 1 });
  const ended = await attributes(customer, id);
  assert.equal(ended.state, 'state/reviewed');
  assert.equal(ended.lastTransition, 'transition/expire-customer-review-period');
  const shown = await marketplaceSdk(stoa).reviews.show({ id: own.id, include: ['author'] });
  assert.equal(shown.data.data.attributes.state, 'public');
  assert.equal(shown.data.data.attributes.rating, 3);
  assert.equal(related(shown, 'author').attributes.profile.displayName, 'Paula F');
});

// contract: engine walk F6
test('walk F6: without reviews the time for them ends too', async () => {
  const id = await completed();
  await operator.advance({ days: 7, seconds: 1 });
  const ended = await attributes(provider, id);
  assert.equal(ended.state, 'state/reviewed');
  const shown = await show(provider, id, { include: ['reviews'] });
  assert.deepEqual(shown.data.data.relationships.reviews.data, []);
});

// contract: engine E19
test('an unknown alias is a conflict', async () => {
  for (const processAlias of ['free-request/release-9', 'no-process/release-1', 'nothing']) {
    const call = shop.transactions.initiate({ ...requestOn(listing), processAlias });
    await refused(call, 409, 'transaction-unknown-alias');
  }
});

// contract: engine E20
test('nobody is customer of an own listing', async () => {
  const sdk = await trusted(stoa, provider);
  await refused(sdk.transactions.initiate(requestOn(listing)), 409, 'transaction-same-author-and-customer');
});

// contract: engine E23, E24, E70, auth 19
test('a privileged transition needs the trusted context', async () => {
  const total = async () => (await customer.sdk.transactions.query({ perPage: 1 })).data.meta.totalItems;
  const before = await total();
  await refused(customer.sdk.transactions.initiate(requestOn(listing)), 403, 'forbidden');
  assert.equal(await total(), before, 'nothing is stored');
  const answer = await shop.transactions.initiate(requestOn(listing));
  assert.equal(answer.status, 200);
  assert.equal(await total(), before + 1);
});

// contract: engine E25, E26, E29, E70
test('a transition is refused to the wrong party, from the wrong state, by the wrong name', async () => {
  const id = await requested();
  const tried = async (person, transition) => {
    const call = person.sdk.transactions.transition({ id, transition, params: {} });
    await refused(call, 409, 'transaction-invalid-transition');
  };
  await tried(customer, 'transition/accept');
  await tried(provider, 'transition/cancel');
  await tried(provider, 'transition/cancel-from-requested');
  await tried(customer, 'transition/expire');
  await tried(provider, 'transition/expire');
  await tried(provider, 'transition/review-1-by-provider');
  await tried(provider, 'transition/unheard-of');
  await tried(provider, 'transition/request');
  await step(provider, id, 'accept');
  await tried(provider, 'transition/accept');
  await tried(provider, 'transition/decline');
});

// contract: engine E28
test('a stranger can neither move nor see a transaction', async () => {
  const id = await requested();
  const call = stranger.sdk.transactions.transition({ id, transition: 'transition/accept', params: {} });
  await refused(call, 403, 'forbidden');
  await refused(show(stranger, id), 403, 'forbidden');
  await refused(stranger.sdk.messages.query({ transactionId: id }), 403, 'forbidden');
});

// contract: engine E32
test('unknown parameters of a transition are ignored, unknown keys beside them are not', async () => {
  const body = requestOn(listing, { cardToken: 'x', foo: { bar: [1] } });
  assert.equal((await shop.transactions.initiate(body)).status, 200);
  const call = shop.transactions.initiate({ ...requestOn(listing), foo: 1 });
  await refused(call, 400, 'validation-disallowed-key', ['foo']);
});

// contract: engine E33
test('a missing parameter is named with its path', async () => {
  const withoutItems = shop.transactions.initiate(requestOn(listing, { lineItems: undefined }));
  await refused(withoutItems, 400, 'validation-missing-key', ['params', 'lineItems']);
  const withoutListing = shop.transactions.initiate(requestOn(undefined));
  await refused(withoutListing, 400, 'validation-missing-key', ['params', 'listingId']);
  const { params, ...bare } = requestOn(listing);
  await refused(shop.transactions.initiate(bare), 400, 'validation-missing-key', ['params']);
  await refused(
    shop.transactions.transition({ id: await requested() }),
    400,
    'validation-missing-key',
    ['transition']
  );
});

// contract: engine E34, transactions T18, T20, T21
test('line items that do not add up are refused', async () => {
  const price = new Money(100, 'EUR');
  const item = { code: 'line-item/day', unitPrice: price, quantity: 1 };
  for (const lineItems of [
    Array(51).fill(item),
    [{ ...item, code: `line-item/${'x'.repeat(55)}` }],
    [{ ...item, code: 'cleaning-fee' }],
    [item, { ...item, unitPrice: new Money(100, 'USD') }],
    [{ ...item, percentage: 5 }],
    [{ code: 'line-item/day', unitPrice: price }],
    [{ code: 'line-item/day', unitPrice: price, units: 2 }],
    [{ ...item, lineTotal: new Money(99, 'EUR') }],
    [{ ...item, includeFor: [] }],
    [item, { code: 'line-item/fee', unitPrice: price, quantity: -2 }],
  ]) {
    await refused(shop.transactions.initiate(requestOn(listing, { lineItems })), 400);
  }
});

// contract: transactions T15, T16, T19, T23
test('totals are exact, rounded half away from zero, and kept in the types of the SDK', async () => {
  const usd = amount => new Money(amount, 'USD');
  const made = await shop.transactions.initiate(
    requestOn(listing, {
      lineItems: [
        { code: 'line-item/night', unitPrice: usd(5000), quantity: new BigDecimal('3') },
        { code: 'line-item/cleaning-fee', unitPrice: usd(7500), quantity: 1 },
        {
          code: 'line-item/provider-commission',
          unitPrice: usd(15000),
          percentage: -10,
          includeFor: ['provider'],
        },
        {
          code: 'line-item/customer-commission',
          unitPrice: usd(15000),
          percentage: 5,
          includeFor: ['customer'],
        },
      ],
    }),
    { expand: true }
  );
  const { payinTotal, payoutTotal, lineItems } = made.data.data.attributes;
  assert.ok(payinTotal instanceof Money);
  assert.equal(payinTotal.amount, 23250);
  assert.equal(payoutTotal.amount, 21000);
  assert.ok(lineItems[0].quantity instanceof BigDecimal);
  assert.deepEqual(lineItems[1].includeFor, ['customer', 'provider']);

  const odd = await shop.transactions.initiateSpeculative(
    requestOn(listing, {
      lineItems: [
        { code: 'line-item/a', unitPrice: usd(333), quantity: new BigDecimal('0.5') },
        { code: 'line-item/b', unitPrice: usd(333), percentage: new BigDecimal('15.5') },
        { code: 'line-item/c', unitPrice: usd(50), units: 2, seats: 3 },
        { code: 'line-item/d', unitPrice: usd(333), quantity: new BigDecimal('-0.5') },
      ],
    }),
    { expand: true }
  );
  const items = odd.data.data.attributes.lineItems;
  assert.deepEqual(items.map(item => item.lineTotal.amount), [167, 52, 300, -167]);
  assert.equal(Number(items[2].quantity.value), 6);
  assert.equal(items[2].seats, 3);
});

// contract: engine E35, transactions T1
test('a speculative initiation shows everything and stores nothing', async () => {
  const total = async () => (await customer.sdk.transactions.query({ perPage: 1 })).data.meta.totalItems;
  const before = await total();
  const tried = await shop.transactions.initiateSpeculative(requestOn(listing), { expand: true });
  const seen = tried.data.data;
  assert.equal(seen.type, 'transaction');
  assert.equal(seen.attributes.state, 'state/requested');
  assert.equal(seen.attributes.payinTotal.amount, 5000);
  assert.equal(seen.attributes.payoutTotal.amount, 4500);
  assert.equal(await total(), before);
  await refused(customer.sdk.transactions.show({ id: seen.id }), 404, 'not-found');
  await refused(customer.sdk.transactions.initiateSpeculative(requestOn(listing)), 403, 'forbidden');
});

test('a speculative transition shows the next state and stores nothing', async () => {
  const id = await requested();
  const tried = await provider.sdk.transactions.transitionSpeculative(
    { id, transition: 'transition/decline', params: {} },
    { expand: true }
  );
  assert.equal(tried.data.data.attributes.state, 'state/declined');
  assert.deepEqual(plain(tried.data.data.attributes.payinTotal), zero);
  assert.equal((await attributes(provider, id)).state, 'state/requested');
  const byOperator = await integ.transactions.transitionSpeculative(
    { id: id.uuid, transition: 'transition/cancel-from-requested', params: {} },
    { expand: true }
  );
  assert.equal(byOperator.data.data.attributes.state, 'state/canceled');
  assert.equal((await attributes(provider, id)).state, 'state/requested');
});

// contract: engine E50
test('of accept and decline at once exactly one happens', async () => {
  const id = await requested();
  const tried = ['accept', 'decline'].map(name => step(provider, id, name));
  const ends = await Promise.allSettled(tried);
  assert.equal(ends.filter(end => end.status === 'fulfilled').length, 1);
  const [lost] = ends.filter(end => end.status === 'rejected');
  assert.equal(lost.reason.status, 409);
  assert.match(lost.reason.data.errors[0].code, /^transaction-(invalid-transition|locked)$/);
  assert.equal((await attributes(provider, id)).transitions.length, 2);
});

// contract: transactions T1
test('an initiation answers with id and type, or with everything', async () => {
  const bare = await shop.transactions.initiate(requestOn(listing));
  assert.deepEqual(Object.keys(bare.data.data).sort(), ['id', 'type']);
  const full = await shop.transactions.initiate(
    requestOn(listing, { protectedData: { note: 'ring twice' } }),
    { expand: true, include: ['listing', 'provider', 'customer', 'booking'] }
  );
  const seen = full.data.data.attributes;
  assert.equal(seen.processName, 'free-request');
  assert.equal(seen.processVersion, 1);
  assert.equal(seen.lastTransition, 'transition/request');
  assert.deepEqual(seen.protectedData, { note: 'ring twice' });
  assert.deepEqual(seen.metadata, {});
  assert.ok(seen.lastTransitionedAt instanceof Date);
  assert.equal(related(full, 'listing').attributes.title, 'City bike');
  assert.equal(related(full, 'listing').type, 'listing');
  assert.equal(related(full, 'provider').id.uuid, provider.id.uuid);
  assert.equal(related(full, 'customer').id.uuid, customer.id.uuid);
});

// contract: transactions T4
test('a transaction is shown to its parties only', async () => {
  const id = await requested();
  await refused(stranger.sdk.transactions.show({ id }), 403, 'forbidden');
  await refused(customer.sdk.transactions.show({ id: unknownId() }), 404, 'not-found');
  await refused(marketplaceSdk(stoa).transactions.show({ id }), 403, 'forbidden');
  const call = customer.sdk.transactions.transition({
    id: unknownId(),
    transition: 'transition/accept',
    params: {},
  });
  await refused(call, 409, 'transaction-not-found');
});

// contract: transactions T5, users 49
test('a user is provider in one transaction and customer in another', async () => {
  const [a, b] = await Promise.all([signUp(stoa), signUp(stoa)]);
  const [ofA, ofB] = [await publish(a), await publish(b)];
  const bought = await ask(stoa, a, ofB);
  const sold = await ask(stoa, b, ofA);
  const of = async only => ids(await a.sdk.transactions.query(only ? { only } : {}));
  assert.deepEqual(await of('order'), [bought.uuid]);
  assert.deepEqual(await of('sale'), [sold.uuid]);
  assert.deepEqual((await of()).sort(), [bought.uuid, sold.uuid].sort());
  await refused(a.sdk.transactions.query({ only: 'both' }), 400, 'validation-invalid-value', ['only']);
});

// contract: transactions T6, T7, T8, T12
test('transactions are filtered by state, last transition, process and money', async () => {
  const [a, b] = await Promise.all([signUp(stoa), signUp(stoa)]);
  const ofB = await publish(b);
  const open = (await ask(stoa, a, ofB)).uuid;
  const declined = await ask(stoa, a, ofB);
  await step(b, declined, 'decline');
  const asked = await a.sdk.transactions.initiate(inquiryOn(ofB));
  const inquiry = asked.data.data.id.uuid;
  await a.sdk.messages.send({ transactionId: asked.data.data.id, content: 'Hello' });
  const find = async params => ids(await a.sdk.transactions.query(params)).sort();

  assert.deepEqual(await find({ states: 'state/requested,state/declined' }), [open, declined.uuid].sort());
  const asking = { states: ['state/requested', 'state/free-inquiry'], processNames: ['default-inquiry'] };
  assert.deepEqual(await find(asking), [inquiry]);
  assert.deepEqual(await find({ lastTransitions: 'transition/decline' }), [declined.uuid]);
  assert.deepEqual(await find({ states: '' }), [open, declined.uuid, inquiry].sort());
  assert.deepEqual(await find({ states: 'state/unheard-of' }), []);
  assert.deepEqual(await find({ hasPayin: false }), [inquiry]);
  assert.deepEqual(await find({ hasMessage: true }), [inquiry]);
  assert.deepEqual(await find({ hasMessage: false, hasPayin: true }), [open, declined.uuid].sort());
  assert.deepEqual(await find({ listingId: ofB, ids: [open, inquiry] }), [open, inquiry].sort());
  assert.deepEqual(await find({ userId: b.id }), [open, declined.uuid, inquiry].sort());
  await refused(a.sdk.transactions.query({ perPage: 101 }), 400, 'validation-invalid-value', ['perPage']);
  await refused(a.sdk.transactions.query({ foo: 1 }), 400, 'validation-disallowed-key', ['foo']);
  await refused(a.sdk.transactions.query({ prot_foo: 1 }), 400, 'validation-invalid-params', ['prot_foo']);
  const beyond = await a.sdk.transactions.query({ page: 5, perPage: 2 });
  assert.deepEqual(beyond.data.data, []);
  assert.deepEqual(beyond.data.meta, { totalItems: 3, totalPages: 2, page: 5, perPage: 2 });
});

// contract: transactions T11
test('transactions are sorted by age, last step or last message', async () => {
  const [a, b] = await Promise.all([signUp(stoa), signUp(stoa)]);
  const ofB = await publish(b);
  const made = [];
  for (let n = 0; n < 3; n += 1) made.push((await ask(stoa, a, ofB)).uuid);
  const [first, second, third] = made;
  await a.sdk.messages.send({ transactionId: third, content: 'to the third' });
  await a.sdk.messages.send({ transactionId: first, content: 'to the first' });
  await step(b, second, 'accept');
  const sorted = async sort => ids(await a.sdk.transactions.query({ sort }));
  assert.deepEqual(await sorted('createdAt'), [third, second, first]);
  assert.deepEqual(await sorted('-createdAt'), [first, second, third]);
  assert.deepEqual(await sorted('lastMessageAt'), [first, third, second]);
  assert.deepEqual(await sorted('-lastMessageAt'), [third, first, second], 'without messages: last');
  assert.equal((await sorted('lastTransitionedAt'))[0], second);
  assert.deepEqual(ids(await a.sdk.transactions.query()), [third, second, first]);
  await refused(a.sdk.transactions.query({ sort: 'colour' }), 400, 'validation-invalid-value', ['sort']);
});

// contract: transactions T13
test('the Integration API finds everyone’s transactions by their parties', async () => {
  const [a, b] = await Promise.all([signUp(stoa), signUp(stoa)]);
  const ofB = await publish(b);
  const id = (await ask(stoa, a, ofB)).uuid;
  const total = async params => ids(await integ.transactions.query(params));
  assert.deepEqual(await total({ customerId: a.id.uuid }), [id]);
  assert.deepEqual(await total({ providerId: b.id.uuid }), [id]);
  assert.deepEqual(await total({ providerId: a.id.uuid }), []);
  assert.deepEqual(await total({ userId: a.id.uuid }), [id]);
  assert.deepEqual(await total({ listingId: ofB.uuid }), [id]);
  const shown = await integ.transactions.show({ id, include: ['customer', 'provider', 'listing'] });
  assert.equal(related(shown, 'customer').attributes.email, a.email);
  const { createdAt } = shown.data.data.attributes;
  assert.ok((await total({ createdAtStart: createdAt })).includes(id));
});

// contract: transactions T14, integration I16
test('metadata is merged by the Integration API without a step', async () => {
  const id = await requested();
  await integ.transactions.updateMetadata({ id: id.uuid, metadata: { a: 1 } });
  const updated = await integ.transactions.updateMetadata(
    { id: id.uuid, metadata: { b: 2, a: null } },
    { expand: true }
  );
  assert.deepEqual(updated.data.data.attributes.metadata, { b: 2 });
  const seen = await attributes(customer, id);
  assert.deepEqual(seen.metadata, { b: 2 });
  assert.equal(seen.transitions.length, 1);
  const unknown = integ.transactions.updateMetadata({ id: unknownId().uuid, metadata: {} });
  await refused(unknown, 409, 'transaction-not-found');
});

// contract: transactions T26, T27, T28, T29
test('parties write messages in any state, newest first, and nobody else reads them', async () => {
  const id = await requested();
  await step(provider, id, 'decline');
  const before = await attributes(customer, id);
  const first = await customer.sdk.messages.send(
    { transactionId: id, content: 'Why?\nTell me. ✓' },
    { expand: true }
  );
  assert.equal(first.data.data.attributes.content, 'Why?\nTell me. ✓');
  const second = await provider.sdk.messages.send({ transactionId: id, content: 'Rain.' });
  const after = await attributes(customer, id);
  assert.deepEqual(after.lastTransitionedAt, before.lastTransitionedAt);

  const camel = await customer.sdk.messages.query({ transactionId: id, include: ['sender'] });
  assert.deepEqual(ids(camel), [second.data.data.id.uuid, first.data.data.id.uuid]);
  assert.equal(camel.data.data[0].relationships.sender.data.id.uuid, provider.id.uuid);
  assert.equal(camel.data.included.length, 2);
  const snake = await provider.sdk.messages.query({ transaction_id: id });
  assert.deepEqual(ids(snake), ids(camel));
  const byId = await customer.sdk.messages.query({ ids: [first.data.data.id] });
  assert.deepEqual(ids(byId), [first.data.data.id.uuid]);
  const integration = await integ.messages.query({ transactionId: id.uuid });
  assert.deepEqual(ids(integration), ids(camel));

  await refused(stranger.sdk.messages.send({ transactionId: id, content: 'Hi' }), 403, 'forbidden');
  assert.deepEqual(ids(await stranger.sdk.messages.query({ ids: [first.data.data.id] })), []);
  await refused(customer.sdk.messages.query(), 400, 'validation-invalid-params');
  const integToken = (await integ.store.getToken()).access_token;
  const sent = await request(stoa, '/v1/integration_api/messages/send', {
    token: integToken,
    json: { transactionId: id.uuid, content: 'x' },
  });
  await refused(sent, 404, 'not-found');
});

// contract: transactions T30, T43
test('a message has one to 5000 characters, and null files are none', async () => {
  const id = await requested();
  for (const content of ['', '  \n ', 'x'.repeat(5001)]) {
    const call = customer.sdk.messages.send({ transactionId: id, content });
    await refused(call, 400, 'validation-invalid-value', ['content']);
  }
  const sent = await customer.sdk.messages.send({
    transactionId: id,
    content: 'x'.repeat(5000),
    publicFileAttachments: null,
  });
  assert.equal(sent.status, 200);
  const unknown = customer.sdk.messages.send({ transactionId: unknownId(), content: 'x' });
  await refused(unknown, 409, 'transaction-not-found');
});

// contract: transactions T32
test('visitors read public reviews only', async () => {
  const listingId = await publish(provider);
  const id = await ask(stoa, customer, listingId);
  await step(provider, id, 'accept');
  await operator.advance({ days: 7, seconds: 1 });
  await step(customer, id, 'review-1-by-customer', review(5, 'Secret for now'));
  const visitor = marketplaceSdk(stoa);
  const find = async (sdk, params) => ids(await sdk.reviews.query({ listing_id: listingId.uuid, ...params }));
  assert.deepEqual(await find(visitor), []);
  assert.deepEqual(await find(visitor, { state: 'pending' }), []);
  assert.deepEqual(await find(provider.sdk, { state: 'pending' }), []);
  assert.equal((await find(customer.sdk, { state: 'pending' })).length, 1);
  await refused(visitor.reviews.query(), 400, 'validation-invalid-params');
  await step(provider, id, 'review-2-by-provider', review(4, 'Thanks'));
  assert.equal((await find(visitor)).length, 2);
  assert.equal((await find(visitor, { type: 'ofProvider' })).length, 1);
  const ofProvider = await visitor.reviews.query({ subject_id: provider.id.uuid, include: ['author', 'subject'] });
  assert.ok(ofProvider.data.data.some(r => r.attributes.content === 'Secret for now'));
});

test('a review has a rating of one to five and a text', async () => {
  const id = await completed();
  for (const [params, code, key] of [
    [review(6, 'x'), 'validation-invalid-value', 'reviewRating'],
    [review(0, 'x'), 'validation-invalid-value', 'reviewRating'],
    [review(2.5, 'x'), 'validation-invalid-value', 'reviewRating'],
    [{ reviewContent: 'x' }, 'validation-missing-key', 'reviewRating'],
    [{ reviewRating: 3 }, 'validation-missing-key', 'reviewContent'],
  ]) {
    const call = customer.sdk.transactions.transition({
      id,
      transition: 'transition/review-1-by-customer',
      params,
    });
    await refused(call, 400, code, ['params', key]);
  }
  assert.equal((await attributes(customer, id)).state, 'state/completed');
});

// contract: transactions T39
test('a closed listing starts no transaction and stops none', async () => {
  const listingId = await publish(provider, { title: 'Closing' });
  const id = await ask(stoa, customer, listingId);
  await provider.sdk.ownListings.close({ id: listingId });
  await refused(shop.transactions.initiate(requestOn(listingId)), 409, 'transaction-listing-not-found');
  await refused(shop.transactions.initiateSpeculative(requestOn(listingId)), 409, 'transaction-listing-not-found');
  await refused(shop.transactions.initiate(requestOn(unknownId())), 409, 'transaction-listing-not-found');
  assert.equal((await step(provider, id, 'accept')).state, 'state/accepted');
  const shown = await show(customer, id, { include: ['listing'] });
  assert.equal(related(shown, 'listing').attributes.title, 'Closing');
  assert.equal(related(shown, 'listing').attributes.state, 'closed');
});

// contract: transactions T40
test('the next transitions are those of the caller’s own role', async () => {
  const id = await requested();
  const next = async person => {
    const found = await person.sdk.processTransitions.query({ transactionId: id });
    return found.data.data.map(t => t.attributes.name).sort();
  };
  assert.deepEqual(await next(provider), ['transition/accept', 'transition/decline']);
  assert.deepEqual(await next(customer), []);
  await refused(stranger.sdk.processTransitions.query({ transactionId: id }), 403, 'forbidden');
  const ofProcess = await customer.sdk.processTransitions.query({ processAlias: 'free-request/release-1' });
  assert.ok(ofProcess.data.data.some(t => t.attributes.name === 'transition/request'));
  assert.ok(ofProcess.data.data.every(t => t.type === 'processTransition'));
});

// contract: transactions T41
test('sparse fields of a transaction', async () => {
  const id = await requested();
  const shown = await show(customer, id, { 'fields.transaction': 'lastTransition' });
  assert.deepEqual(shown.data.data.attributes, { lastTransition: 'transition/request' });
});

// contract: transactions T42, T44
test('the inbox query of the web template works', async () => {
  const [a, b] = await Promise.all([signUp(stoa), signUp(stoa)]);
  const ofB = await publish(b, { publicData: { listingType: 'daily-rental' } });
  await ask(stoa, a, ofB);
  const found = await a.sdk.transactions.query({
    only: 'order',
    processNames: [
      'default-purchase',
      'default-booking',
      'default-inquiry',
      'default-negotiation',
      'free-request',
    ],
    include: [
      'listing',
      'provider',
      'provider.profileImage',
      'customer',
      'customer.profileImage',
      'booking',
    ],
    'fields.transaction': [
      'processName',
      'lastTransition',
      'lastTransitionedAt',
      'transitions',
      'payinTotal',
      'payoutTotal',
      'lineItems',
    ],
    'fields.listing': ['title', 'availabilityPlan', 'publicData.listingType'],
    'fields.user': ['profile.displayName', 'profile.abbreviatedName', 'deleted', 'banned'],
    'fields.image': ['variants.square-small', 'variants.square-small2x'],
    page: 1,
    perPage: 10,
    sort: 'lastMessageAt',
  });
  assert.equal(found.status, 200);
  assert.equal(found.data.data.length, 1);
  const [tx] = found.data.data;
  assert.ok(!('protectedData' in tx.attributes));
  assert.equal(tx.attributes.lineItems.length, LINE_ITEMS.length);
  assert.deepEqual(tx.relationships.booking, { data: null });
  const listingSeen = found.data.included.find(r => r.type === 'listing');
  assert.equal(listingSeen.attributes.publicData.listingType, 'daily-rental');
  assert.deepEqual(Object.keys(listingSeen.attributes.publicData), ['listingType']);
  for (const only of ['sale', 'order']) {
    const count = await a.sdk.transactions.query({ only, states: '', perPage: 100, 'fields.transaction': 'none' });
    assert.equal(count.status, 200);
  }
});

// contract: transactions 9
test('the queries of the web template’s transaction page work', async () => {
  const id = await completed();
  await step(customer, id, 'review-1-by-customer', review(5, 'x'));
  await step(provider, id, 'review-2-by-provider', review(5, 'y'));
  for (let n = 0; n < 3; n += 1) {
    await customer.sdk.messages.send({ transactionId: id, content: `Message ${n}` });
  }
  const shown = await customer.sdk.transactions.show(
    {
      id,
      include: [
        'customer',
        'customer.profileImage',
        'provider',
        'provider.profileImage',
        'listing',
        'listing.currentStock',
        'listing.images',
        'booking',
        'reviews',
        'reviews.author',
        'reviews.subject',
        'protectedFileAttachments',
        'protectedFileAttachments.file',
      ],
      'fields.image': ['variants.listing-card', 'variants.square-small2x'],
      'imageVariant.listing-card': 'w:400;h:300;fit:crop',
    },
    { expand: true }
  );
  const { relationships } = shown.data.data;
  assert.deepEqual(relationships.booking, { data: null });
  assert.deepEqual(relationships.protectedFileAttachments, { data: [] });
  assert.equal(relationships.reviews.data.length, 2);
  // Every reference leads to a resource of the answer: the template throws where one does not.
  const known = new Set(shown.data.included.map(r => `${r.type} ${r.id.uuid}`));
  assert.equal(known.size, shown.data.included.length, 'each resource once');
  for (const resource of [shown.data.data, ...shown.data.included]) {
    for (const { data } of Object.values(resource.relationships ?? {})) {
      for (const one of [data].flat().filter(Boolean)) {
        assert.ok(known.has(`${one.type} ${one.id.uuid}`), `${one.type} is included`);
      }
    }
  }
  const talk = await customer.sdk.messages.query({
    transaction_id: id,
    include: [
      'sender',
      'sender.profileImage',
      'publicFileAttachments',
      'publicFileAttachments.file',
    ],
    page: 1,
    perPage: 2,
  });
  assert.deepEqual(talk.data.data.map(m => m.attributes.content), ['Message 2', 'Message 1']);
  assert.equal(talk.data.meta.totalItems, 3);
  assert.deepEqual(talk.data.data[0].relationships.publicFileAttachments, { data: [] });
  const limited = await show(customer, id, { include: 'messages', 'limit.messages': 1 });
  assert.equal(limited.data.data.relationships.messages.data.length, 1);
  assert.equal(limited.data.included.length, 1);
  const next = await customer.sdk.processTransitions.query({ transactionId: id });
  assert.deepEqual(next.data.data, []);
});

test('protected data of a transaction is seen by both parties', async () => {
  const note = word();
  const id = await requested({ protectedData: { note } });
  assert.deepEqual((await attributes(customer, id)).protectedData, { note });
  assert.deepEqual((await attributes(provider, id)).protectedData, { note });
});

test('the clock is the operator’s', async () => {
  const answer = await request(stoa, '/v1/operator_api/clock/advance', {
    token: accessToken(customer),
    json: { seconds: 1 },
  });
  await refused(answer, 403, 'forbidden');
  await refused(operator.post('clock/advance', { seconds: -1 }), 400, 'validation-invalid-value', ['seconds']);
});

test('a timer runs once, however often time moves', async () => {
  const id = await requested();
  await Promise.all([operator.advance({ days: 6, seconds: 1 }), operator.advance({ seconds: 1 })]);
  await operator.advance({ days: 30 });
  const ended = await eventually('the request has expired', async () => {
    const seen = await attributes(customer, id);
    return seen.state === 'state/expired' && seen;
  });
  assert.equal(ended.transitions.length, 2);
});
