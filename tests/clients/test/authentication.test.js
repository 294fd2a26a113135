// Sign-in, token grants and sessions, as the SDKs do them.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { startRecorder } from '../lib/recorder.js';
import { SOON_MS, eventually } from '../lib/eventually.js';
import { integrationSdk, marketplaceSdk, tokenStore } from '../lib/sdk.js';
import { Operator, PASSWORD, accessToken, freshEmail, signUp, trusted } from '../lib/people.js';
import { anonymousToken, form, grant, integrationToken, request } from '../lib/raw.js';
import { refused } from '../lib/expect.js';

let stoa;
let recorder;

before(async () => {
  stoa = await startStoa();
  recorder = await startRecorder(stoa);
});

/** An SDK whose requests are written down from now on. */
function recorded(options = {}) {
  recorder.clear();
  return marketplaceSdk(stoa, { ...options, baseUrl: recorder.baseUrl });
}

// contract: auth 1
test('the first call of a fresh SDK makes exactly one anonymous grant', async () => {
  const sdk = recorded();
  const shown = await sdk.marketplace.show();
  assert.equal(shown.status, 200);
  assert.equal(shown.data.data.type, 'marketplace');
  const grants = recorder.grants();
  assert.equal(grants.length, 1);
  assert.deepEqual(grants[0], {
    client_id: stoa.credentials.marketplaceClientId,
    grant_type: 'client_credentials',
    scope: 'public-read',
  });
  const token = sdk.store.getToken();
  assert.equal(token.scope, 'public-read');
  assert.ok(!('refresh_token' in token), 'an anonymous token has no refresh token');
  assert.equal((await sdk.authInfo()).isAnonymous, true);
});

// contract: auth 2
test('five parallel calls of a fresh SDK share one grant', async () => {
  const sdk = recorded();
  const answers = await Promise.all(Array.from({ length: 5 }, () => sdk.listings.query()));
  assert.deepEqual(answers.map(a => a.status), [200, 200, 200, 200, 200]);
  assert.equal(recorder.grants().length, 1);
});

// contract: auth 3
test('a login stores a user token with a refresh token', async () => {
  const { sdk, email } = await signUp(stoa);
  const answer = await sdk.login({ username: email, password: PASSWORD });
  assert.equal(answer.status, 200);
  const token = sdk.store.getToken();
  assert.equal(token.scope, 'user');
  assert.equal(token.token_type.toLowerCase(), 'bearer');
  assert.ok(token.refresh_token);
  assert.ok(Number.isInteger(token.expires_in) && token.expires_in > 0);
  const info = await sdk.authInfo();
  assert.equal(info.isAnonymous, false);
  assert.deepEqual(info.scopes, ['user']);
  assert.ok(!info.isLoggedInAs);
  assert.deepEqual(
    Object.keys(answer.data).sort(),
    ['access_token', 'expires_in', 'refresh_token', 'scope', 'token_type'],
    'the SDK stores every field, so there is none more'
  );
});

// contract: auth 4
test('the address of a login is compared without letter case and outer spaces', async () => {
  const { sdk, email } = await signUp(stoa);
  const answer = await sdk.login({ username: ` ${email.toUpperCase()} `, password: PASSWORD });
  assert.equal(answer.status, 200);
});

// contract: auth 4, 5
test('a wrong password and an unknown address give the same 401 and change no token', async () => {
  const { sdk, email } = await signUp(stoa);
  const stored = sdk.store.getToken();
  const wrong = await refused(sdk.login({ username: email, password: 'not the password' }), 401);
  assert.deepEqual(sdk.store.getToken(), stored);
  const unknown = await refused(sdk.login({ username: freshEmail(), password: PASSWORD }), 401);
  assert.equal(wrong.code, 'unauthorized');
  assert.deepEqual({ ...unknown, id: null }, { ...wrong, id: null });
  assert.notEqual(unknown.id, wrong.id);
});

// contract: auth 9
test('a session that ended on the server leaves the SDK anonymous and working', async () => {
  const { sdk } = await signUp(stoa);
  const token = sdk.store.getToken();
  const ended = await form(stoa, '/v1/auth/revoke', { token: token.refresh_token }, { token: token.access_token });
  assert.equal(ended.status, 200);
  await eventually('the access token is refused', async () => {
    const seen = await request(stoa, '/v1/api/listings/query?perPage=1', { token: token.access_token });
    return seen.status === 401;
  }, SOON_MS);
  const answer = await sdk.listings.query();
  assert.equal(answer.status, 200);
  assert.equal(sdk.store.getToken().scope, 'public-read');
});

// contract: auth 10
test('an anonymous caller of a user endpoint gets 403 and no second token', async () => {
  const sdk = recorded();
  await refused(sdk.currentUser.show(), 403, 'forbidden');
  assert.equal(recorder.grants().length, 1);
});

// contract: auth 11
test('a logout revokes the session once and empties the store', async () => {
  const { email } = await signUp(stoa);
  const sdk = recorded();
  await sdk.login({ username: email, password: PASSWORD });
  const token = sdk.store.getToken();
  recorder.clear();
  await sdk.logout();
  const revocations = recorder.to('/v1/auth/revoke');
  assert.equal(revocations.length, 1);
  assert.equal(revocations[0].headers.authorization, `Bearer ${token.access_token}`);
  assert.equal(revocations[0].body, `token=${token.refresh_token}`);
  assert.equal(revocations[0].status, 200);
  assert.ok(!sdk.store.getToken());
  await refused(refresh(token.refresh_token), 401, 'unauthorized');
  await eventually('the access token is refused', async () => {
    const late = await request(stoa, '/v1/api/current_user/show', { token: token.access_token });
    return late.status === 401 && late.body.errors[0].code === 'auth-invalid-access-token';
  }, SOON_MS);
});

// contract: auth 13
test('a logout with two dead tokens resolves and empties the store', async () => {
  const { sdk } = await signUp(stoa);
  const token = sdk.store.getToken();
  const ended = await form(stoa, '/v1/auth/revoke', { token: token.refresh_token }, { token: token.access_token });
  assert.equal(ended.body.revoked, true);
  await sdk.logout();
  assert.ok(!sdk.store.getToken());
});

// contract: auth 14
test('a logout without a login asks nothing', async () => {
  const sdk = recorded();
  await sdk.logout();
  assert.equal(recorder.seen.length, 0);
});

test('a refresh token of somebody else is not revoked', async () => {
  const [one, other] = await Promise.all([signUp(stoa), signUp(stoa)]);
  const theirs = other.sdk.store.getToken().refresh_token;
  const answer = await form(stoa, '/v1/auth/revoke', { token: theirs }, { token: accessToken(one) });
  assert.equal(answer.status, 200);
  assert.equal((await refresh(theirs)).status, 200);
});

// contract: auth 15
test('a token exchange gives a trusted token and stores nothing', async () => {
  const person = await signUp(stoa);
  const stored = person.sdk.store.getToken();
  const exchanged = await person.sdk.exchangeToken();
  assert.equal(exchanged.data.scope, 'trusted:user');
  assert.ok(!('refresh_token' in exchanged.data));
  assert.deepEqual(person.sdk.store.getToken(), stored);
  const sdk = await trusted(stoa, person);
  const shown = await sdk.currentUser.show();
  assert.equal(shown.data.data.id.uuid, person.id.uuid);
});

// contract: auth 17
test('a wrong client secret exchanges nothing', async () => {
  const { email } = await signUp(stoa);
  const sdk = marketplaceSdk(stoa, { secret: 'x'.repeat(43) });
  await sdk.login({ username: email, password: PASSWORD });
  await refused(sdk.exchangeToken(), 401, 'unauthorized');
});

// contract: auth 18
test('the secret of another application exchanges nothing', async () => {
  const { email } = await signUp(stoa);
  const sdk = marketplaceSdk(stoa, { secret: stoa.credentials.integrationClientSecret });
  await sdk.login({ username: email, password: PASSWORD });
  await refused(sdk.exchangeToken(), 401, 'unauthorized');
});

test('only a live user token can be exchanged', async () => {
  const person = await signUp(stoa);
  const exchanged = await person.sdk.exchangeToken();
  const subjects = [
    exchanged.data.access_token,
    await anonymousToken(stoa),
    await integrationToken(stoa),
    `${accessToken(person)}x`,
    'undefined',
  ];
  for (const subject of subjects) {
    const answer = await grant(stoa, {
      client_id: stoa.credentials.marketplaceClientId,
      client_secret: stoa.credentials.marketplaceClientSecret,
      grant_type: 'token_exchange',
      subject_token: subject,
    });
    await refused(answer, 401, 'unauthorized');
  }
});

// contract: auth 20
test('an account is deleted with a trusted token only', async () => {
  const person = await signUp(stoa);
  await refused(person.sdk.currentUser.delete({ currentPassword: PASSWORD }), 403, 'forbidden');
  const sdk = await trusted(stoa, person);
  const answer = await sdk.currentUser.delete({ currentPassword: PASSWORD });
  assert.equal(answer.status, 200);
});

// contract: auth 31, integration I1
test('the Integration SDK signs in with its secret and gets a refresh token', async () => {
  recorder.clear();
  const sdk = integrationSdk(stoa, { baseUrl: recorder.baseUrl });
  const shown = await sdk.marketplace.show();
  assert.equal(shown.status, 200);
  assert.deepEqual(recorder.grants(), [
    {
      client_id: stoa.credentials.integrationClientId,
      client_secret: stoa.credentials.integrationClientSecret,
      grant_type: 'client_credentials',
      scope: 'integ',
    },
  ]);
  const token = await sdk.store.getToken();
  assert.equal(token.scope, 'integ');
  assert.ok(token.refresh_token);
});

test('the Integration SDK can revoke its session', async () => {
  const sdk = integrationSdk(stoa);
  await sdk.marketplace.show();
  const token = await sdk.store.getToken();
  await sdk.revoke();
  const answer = await grant(stoa, {
    client_id: stoa.credentials.integrationClientId,
    grant_type: 'refresh_token',
    refresh_token: token.refresh_token,
  });
  await refused(answer, 401, 'unauthorized');
});

// contract: auth 34, integration I3
test('each API refuses the live tokens of the other with 403', async () => {
  const person = await signUp(stoa);
  const integ = await integrationToken(stoa);
  await refused(request(stoa, '/v1/api/marketplace/show', { token: integ }), 403, 'forbidden');
  for (const token of [accessToken(person), await anonymousToken(stoa)]) {
    await refused(request(stoa, '/v1/integration_api/users/query', { token }), 403, 'forbidden');
  }
});

test('an application gets only the grants of its kind', async () => {
  const { marketplaceClientId, marketplaceClientSecret, integrationClientId, integrationClientSecret } =
    stoa.credentials;
  const wrong = [
    { client_id: marketplaceClientId, client_secret: marketplaceClientSecret, scope: 'integ' },
    { client_id: integrationClientId, client_secret: integrationClientSecret, scope: 'public-read' },
    { client_id: integrationClientId, client_secret: marketplaceClientSecret, scope: 'integ' },
    { client_id: '00000000-0000-4000-8000-000000000000', scope: 'public-read' },
  ];
  for (const fields of wrong) {
    await refused(grant(stoa, { ...fields, grant_type: 'client_credentials' }), 401, 'unauthorized');
  }
});

test('a grant that lacks something or is of no known kind is a bad request', async () => {
  const client_id = stoa.credentials.marketplaceClientId;
  for (const fields of [
    { client_id },
    { client_id, grant_type: 'password', scope: 'user', username: 'a@example.com' },
    { client_id, grant_type: 'nothing' },
    { client_id, grant_type: 'refresh_token' },
  ]) {
    await refused(grant(stoa, fields), 400, 'bad-request');
  }
  const twice = await form(stoa, '/v1/auth/token', [
    ['client_id', client_id],
    ['grant_type', 'client_credentials'],
    ['grant_type', 'client_credentials'],
    ['scope', 'public-read'],
  ]);
  await refused(twice, 400, 'bad-request');
});

test('answers of the token API are JSON that nobody may store', async () => {
  const good = await grant(stoa, {
    client_id: stoa.credentials.marketplaceClientId,
    grant_type: 'client_credentials',
    scope: 'public-read',
  });
  const bad = await grant(stoa, { grant_type: 'password' });
  for (const answer of [good, bad]) {
    assert.match(answer.kind, /^application\/json/);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
  }
});

// contract: auth 36, wire W15
test('a browser on another origin may ask: the preflight needs no token', async () => {
  for (const path of ['/v1/api/listings/query', '/v1/auth/revoke']) {
    const answer = await request(stoa, path, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://shop.example.com',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,x-transit-verbose',
      },
    });
    assert.ok(answer.status === 204 || answer.status === 200, `${path}: ${answer.status}`);
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    const methods = answer.headers.get('access-control-allow-methods');
    assert.ok(['GET', 'POST', 'OPTIONS'].every(method => methods.includes(method)), methods);
    const allowed = answer.headers.get('access-control-allow-headers').toLowerCase();
    for (const header of ['authorization', 'content-type', 'accept', 'x-transit-verbose']) {
      assert.ok(allowed.includes(header), header);
    }
    assert.equal(answer.headers.get('access-control-max-age'), '86400');
  }
});

// contract: auth 36, wire W16
test('a browser can read a 401, in the format that it asked for', async () => {
  const origin = 'https://shop.example.com';
  const transit = await request(stoa, '/v1/api/current_user/show', {
    token: 'garbage',
    headers: { origin, accept: 'application/transit+json' },
  });
  assert.equal(transit.status, 401);
  assert.equal(transit.headers.get('access-control-allow-origin'), '*');
  assert.match(transit.kind, /^application\/transit\+json/);
  assert.match(transit.text, /^\["\^ ","~:errors"/);

  const json = await request(stoa, '/v1/api/current_user/show', { headers: { origin } });
  assert.equal(json.headers.get('access-control-allow-origin'), '*');
  await refused(json, 401, 'auth-missing-access-token');
});

// contract: auth 37
test('the longest token set fits into the cookie of the Express store', async () => {
  const { sdk } = await signUp(stoa, { email: `${'a'.repeat(60)}.${freshEmail()}` });
  const set = [];
  const res = { cookie: (name, value) => set.push(`${name}=${encodeURIComponent(value)}`) };
  const store = tokenStore.expressCookieStore({
    clientId: stoa.credentials.marketplaceClientId,
    req: { cookies: {} },
    res,
  });
  store.setToken({ ...sdk.store.getToken(), isLoggedInAs: true });
  assert.equal(set.length, 1);
  assert.ok(set[0].length < 4000, `${set[0].length} bytes`);
});

// contract: auth 42, operator 14
test('operators and users cannot use each other’s door', async () => {
  const { email } = await signUp(stoa);
  const { operatorEmail, operatorPassword, marketplaceClientId } = stoa.credentials;
  const operatorAsUser = await grant(stoa, {
    client_id: marketplaceClientId,
    grant_type: 'password',
    scope: 'user',
    username: operatorEmail,
    password: operatorPassword,
  });
  await refused(operatorAsUser, 401, 'unauthorized');
  const userAsOperator = await grant(stoa, {
    grant_type: 'password',
    scope: 'operator',
    username: email,
    password: PASSWORD,
  });
  await refused(userAsOperator, 401, 'unauthorized');
});

test('an operator gets a token of its own kind, with a refresh token', async () => {
  const { token } = await Operator.signIn(stoa);
  assert.equal(token.scope, 'operator');
  assert.ok(token.refresh_token);
  const answer = await request(stoa, '/v1/api/marketplace/show', { token: token.access_token });
  await refused(answer, 403, 'forbidden');
});

test('a changed password ends the other sessions and keeps the own one', async () => {
  const { sdk, email } = await signUp(stoa);
  const other = marketplaceSdk(stoa);
  await other.login({ username: email, password: PASSWORD });
  await sdk.currentUser.changePassword({ currentPassword: PASSWORD, newPassword: 'another fine phrase' });
  const { refresh_token } = other.store.getToken();
  await eventually(
    'the other session ends',
    async () => (await refresh(refresh_token)).status === 401,
    SOON_MS
  );
  assert.equal((await refresh(sdk.store.getToken().refresh_token)).status, 200);
  await refused(marketplaceSdk(stoa).login({ username: email, password: PASSWORD }), 401);
  const again = await marketplaceSdk(stoa).login({ username: email, password: 'another fine phrase' });
  assert.equal(again.status, 200);
});

function refresh(token) {
  return grant(stoa, {
    client_id: stoa.credentials.marketplaceClientId,
    grant_type: 'refresh_token',
    refresh_token: token,
  });
}
