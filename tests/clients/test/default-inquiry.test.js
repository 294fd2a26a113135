// The shipped process `default-inquiry` with the official names: one question, then messages.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { marketplaceSdk } from '../lib/sdk.js';
import { signUp } from '../lib/people.js';
import { inquiryOn, publish } from '../lib/market.js';
import { ids, refused, related } from '../lib/expect.js';

let stoa;
let provider;
let customer;
let listing;

before(async () => {
  stoa = await startStoa();
  [provider, customer] = await Promise.all([signUp(stoa), signUp(stoa)]);
  listing = await publish(provider, { title: 'City bike' });
});

for (const verbose of [false, true]) {
  // contract: engine E67, transactions T3
  test(`a question is asked and answered (${verbose ? 'verbose' : 'compact'} Transit)`, async () => {
    const asking = marketplaceSdk(stoa, { verbose, token: customer.sdk.store.getToken() });
    const made = await asking.transactions.initiate(
      inquiryOn(listing, { protectedData: { inquiryMessage: 'Is it red?' } }),
      { expand: true, include: ['listing', 'customer', 'provider'] }
    );
    const { id, attributes } = made.data.data;
    assert.equal(attributes.processName, 'default-inquiry');
    assert.equal(attributes.state, 'state/free-inquiry');
    assert.equal(attributes.payinTotal, null);
    assert.equal(attributes.payoutTotal, null);
    assert.deepEqual(attributes.lineItems, []);
    assert.deepEqual(attributes.protectedData, { inquiryMessage: 'Is it red?' });
    assert.equal(attributes.transitions.length, 1);
    assert.equal(attributes.transitions[0].by, 'customer');
    assert.equal(related(made, 'provider').id.uuid, provider.id.uuid);

    await asking.messages.send({ transactionId: id, content: 'Is it red?' });
    const inbox = await provider.sdk.transactions.query({ only: 'sale', processNames: ['default-inquiry'] });
    assert.ok(ids(inbox).includes(id.uuid));
    await provider.sdk.messages.send({ transactionId: id, content: 'Blue.' });
    const talk = await asking.messages.query({ transaction_id: id });
    assert.deepEqual(talk.data.data.map(m => m.attributes.content), ['Blue.', 'Is it red?']);
  });
}

test('an inquiry is the end of its process', async () => {
  const made = await customer.sdk.transactions.initiate(inquiryOn(listing));
  const { id } = made.data.data;
  const again = customer.sdk.transactions.transition({
    id,
    transition: 'transition/inquire-without-payment',
    params: {},
  });
  await refused(again, 409, 'transaction-invalid-transition');
  for (const person of [provider, customer]) {
    const next = await person.sdk.processTransitions.query({ transactionId: id });
    assert.deepEqual(next.data.data, []);
  }
});

// contract: engine E20
test('nobody asks about an own listing', async () => {
  const call = provider.sdk.transactions.initiate(inquiryOn(listing));
  await refused(call, 409, 'transaction-same-author-and-customer');
});

// contract: transactions 8
test('a visitor cannot ask', async () => {
  const visitor = marketplaceSdk(stoa);
  await refused(visitor.transactions.initiate(inquiryOn(listing)), 403, 'forbidden');
  await refused(visitor.transactions.initiateSpeculative(inquiryOn(listing)), 403, 'forbidden');
  await refused(visitor.transactions.query(), 403, 'forbidden');
});

test('a speculative inquiry needs no trusted token and stores nothing', async () => {
  const before = (await customer.sdk.transactions.query()).data.meta.totalItems;
  const tried = await customer.sdk.transactions.initiateSpeculative(inquiryOn(listing), { expand: true });
  assert.equal(tried.data.data.attributes.state, 'state/free-inquiry');
  assert.equal((await customer.sdk.transactions.query()).data.meta.totalItems, before);
});
