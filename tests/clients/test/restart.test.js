// A marketplace stops and starts again; its clients go on with what they hold.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { eventually } from '../lib/eventually.js';
import { integrationSdk, marketplaceSdk } from '../lib/sdk.js';
import { Operator, signUp } from '../lib/people.js';
import { ask, publish } from '../lib/market.js';
import { ids } from '../lib/expect.js';

const attached = Boolean(process.env.STOA_CREDENTIALS);

test(
  'sessions, data, search, timers and the numbers of events outlive a restart',
  { skip: attached && 'needs a server of its own' },
  async () => {
    const first = await startStoa({ virtualClock: true });
    const [provider, customer] = [await signUp(first), await signUp(first)];
    const listing = await publish(provider, { title: 'Outlives', publicData: { gears: 3 } });
    await (await Operator.signIn(first)).searchable('gears', 'long');
    const id = await ask(first, customer, listing);
    const before = await (await Operator.signIn(first)).advance({ days: 2 });
    const integ = integrationSdk(first);
    const last = await eventually('the transaction’s event', async () => {
      const found = await integ.events.query({ resourceId: id.uuid });
      return found.data.data[0]?.attributes.sequenceId;
    });
    // Separate processes are given their secrets and write none.
    if (first.data) {
      const file = await readFile(path.join(first.data, 'credentials.json'), 'utf8');
      assert.deepEqual(JSON.parse(file), first.credentials);
    }

    const second = await first.restart();
    assert.deepEqual(
      { ...second.credentials, baseUrl: null },
      { ...first.credentials, baseUrl: null },
      'ids and secrets stay'
    );

    // An access token from before still fits, and so does the refresh token.
    const sdk = marketplaceSdk(second, { token: customer.sdk.store.getToken() });
    const shown = await sdk.transactions.show({ id, include: ['listing'] });
    assert.equal(shown.data.data.attributes.state, 'state/requested');
    sdk.store.setToken({ ...sdk.store.getToken(), access_token: 'forgotten' });
    assert.equal((await sdk.currentUser.show()).data.data.id.uuid, customer.id.uuid);
    assert.equal(sdk.store.getToken().scope, 'user');

    // Search and schema are there at once, and the clock did not go back.
    const found = await marketplaceSdk(second).listings.query({ keywords: 'outlives', pub_gears: 3 });
    assert.deepEqual(ids(found), [listing.uuid]);
    const operator = await Operator.signIn(second);
    const after = await operator.advance({ days: 4, seconds: 1 });
    const moved = new Date(after.data.now) - new Date(before.data.now);
    assert.ok(moved >= 4 * 86_400_000, `${moved} ms`);
    const expired = await sdk.transactions.show({ id });
    assert.equal(expired.data.data.attributes.state, 'state/expired', 'six days since the request');

    // Numbers of events go on, and nothing is told twice.
    const again = integrationSdk(second);
    const events = await eventually('the event of the timer', async () => {
      const answer = await again.events.query({ resourceId: id.uuid });
      return answer.data.data.length >= 2 && answer.data.data.map(e => e.attributes);
    });
    assert.deepEqual(
      events.map(e => e.eventType),
      ['transaction/initiated', 'transaction/transitioned']
    );
    assert.equal(events[0].sequenceId, last);
    assert.ok(events[1].sequenceId > last);
  }
);
