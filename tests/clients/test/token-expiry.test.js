// What the SDKs do when an access token ends. The server gives tokens of two seconds.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { startRecorder } from '../lib/recorder.js';
import { eventually } from '../lib/eventually.js';
import { integrationSdk } from '../lib/sdk.js';
import { signUp } from '../lib/people.js';
import { grant, request } from '../lib/raw.js';

let stoa;
let recorder;

before(async () => {
  stoa = await startStoa({ env: { STOA_TOKENS__ACCESS_S: '2', STOA_TOKENS__ALLOW_SHORT: 'true' } });
  recorder = await startRecorder(stoa);
});

/** A person whose access token has ended, and whose requests are written down from then on. */
async function withEndedToken() {
  const { sdk } = await signUp(stoa, {}, { baseUrl: recorder.baseUrl });
  await ended(sdk.store.getToken(), '/v1/api/current_user/show');
  recorder.clear();
  return sdk;
}

/** Waits until the server takes the access token no more. */
function ended(token, path) {
  return eventually(
    'the access token ends',
    async () => (await request(stoa, path, { token: token.access_token })).status === 401,
    10_000
  );
}

// contract: auth 6
test('one refresh grant brings a session with an ended access token back', async () => {
  const sdk = await withEndedToken();
  const before = sdk.store.getToken();
  const shown = await sdk.currentUser.show();
  assert.equal(shown.data.data.type, 'currentUser');
  const grants = recorder.grants();
  assert.equal(grants.length, 1);
  assert.deepEqual(grants[0], {
    client_id: stoa.credentials.marketplaceClientId,
    grant_type: 'refresh_token',
    refresh_token: before.refresh_token,
  });
  const token = sdk.store.getToken();
  assert.equal(token.scope, 'user');
  assert.ok(token.refresh_token);
  assert.notEqual(token.access_token, before.access_token);
});

// contract: auth 7
test('ten parallel calls with an ended access token all succeed and the user stays logged in', async () => {
  const sdk = await withEndedToken();
  const shown = await Promise.all(Array.from({ length: 10 }, () => sdk.currentUser.show()));
  assert.deepEqual(shown.map(answer => answer.status), Array(10).fill(200));
  assert.ok(recorder.grants().length > 1, 'the SDK does not join refreshes, so the server must bear it');
  assert.ok(recorder.grants().every(fields => fields.grant_type === 'refresh_token'));
  assert.equal((await sdk.authInfo()).isAnonymous, false);
});

test('every answer of parallel refreshes is usable, and one more use of another ends the session', async () => {
  const sdk = await withEndedToken();
  const refresh = refresh_token =>
    grant(stoa, {
      client_id: stoa.credentials.marketplaceClientId,
      grant_type: 'refresh_token',
      refresh_token,
    });
  const { refresh_token } = sdk.store.getToken();
  const sets = await Promise.all(Array.from({ length: 6 }, () => refresh(refresh_token)));
  assert.deepEqual(sets.map(set => set.status), Array(6).fill(200));
  assert.equal(new Set(sets.map(set => set.body.refresh_token)).size, 6);
  for (const set of sets) {
    const shown = await request(stoa, '/v1/api/current_user/show', { token: set.body.access_token });
    assert.equal(shown.status, 200);
  }
  // A client keeps the answer that came last. Whoever comes with another one has stolen it.
  const kept = await refresh(sets[3].body.refresh_token);
  assert.equal(kept.status, 200);
  assert.equal((await refresh(sets[0].body.refresh_token)).status, 401);
  assert.equal((await refresh(kept.body.refresh_token)).status, 401);
});

// contract: auth 12
test('a logout with an ended access token refreshes, revokes and empties the store', async () => {
  const sdk = await withEndedToken();
  await sdk.logout();
  assert.deepEqual(recorder.to('/v1/auth/revoke').map(entry => entry.status), [401, 200]);
  assert.deepEqual(recorder.grants().map(fields => fields.grant_type), ['refresh_token']);
  assert.ok(!sdk.store.getToken());
});

// contract: auth 16
test('a token exchange with an ended access token refreshes and succeeds', async () => {
  const sdk = await withEndedToken();
  const exchanged = await sdk.exchangeToken();
  assert.equal(exchanged.data.scope, 'trusted:user');
  assert.deepEqual(recorder.grants().map(fields => fields.grant_type), [
    'token_exchange',
    'refresh_token',
    'token_exchange',
  ]);
});

// contract: auth 9
test('a session with nothing left goes on as an anonymous visitor', async () => {
  const sdk = await withEndedToken();
  sdk.store.setToken({ ...sdk.store.getToken(), refresh_token: 'long-gone' });
  const found = await sdk.listings.query();
  assert.equal(found.status, 200);
  assert.equal(sdk.store.getToken().scope, 'public-read');
});

// contract: auth 32
test('the Integration SDK refreshes without its secret', async () => {
  const sdk = integrationSdk(stoa, { baseUrl: recorder.baseUrl });
  await sdk.marketplace.show();
  const before = await sdk.store.getToken();
  await ended(before, '/v1/integration_api/marketplace/show');
  recorder.clear();
  const found = await sdk.users.query({ perPage: 1 });
  assert.equal(found.status, 200);
  assert.deepEqual(recorder.grants(), [
    {
      client_id: stoa.credentials.integrationClientId,
      grant_type: 'refresh_token',
      refresh_token: before.refresh_token,
    },
  ]);
});

// contract: auth 33
test('the Integration SDK falls back to its secret when both tokens are gone', async () => {
  const sdk = integrationSdk(stoa, { baseUrl: recorder.baseUrl });
  await sdk.marketplace.show();
  const token = await sdk.store.getToken();
  sdk.store.setToken({ ...token, access_token: 'gone', refresh_token: 'gone' });
  recorder.clear();
  const found = await sdk.users.query({ perPage: 1 });
  assert.equal(found.status, 200);
  assert.deepEqual(recorder.grants().map(fields => fields.grant_type), [
    'refresh_token',
    'client_credentials',
  ]);
});

// contract: auth 15
test('a trusted token does not outlive the token that it was made from', async () => {
  const { sdk } = await signUp(stoa);
  const exchanged = await sdk.exchangeToken();
  assert.ok(exchanged.data.expires_in <= 2, `${exchanged.data.expires_in} s`);
  await ended(exchanged.data, '/v1/api/current_user/show');
});
