// Settings, built-in mails and sessions: the operator by JSON, everybody else with the SDKs, which
// know no endpoint for sessions.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { SOON_MS, eventually } from '../lib/eventually.js';
import { integrationSdk, marketplaceSdk } from '../lib/sdk.js';
import { Operator, PASSWORD, accessToken, signUp, trusted } from '../lib/people.js';
import { anonymousToken, grant, integrationToken, request } from '../lib/raw.js';
import { refused } from '../lib/expect.js';
import { unknownId } from '../lib/market.js';

let stoa;
let operator;

before(async () => {
  stoa = await startStoa();
  operator = await Operator.signIn(stoa);
});

/** The settings as they are. */
async function settings() {
  const answer = await operator.get('settings/show');
  assert.equal(answer.status, 200, answer.text);
  return answer.body.data.attributes;
}

/** What the SDK is told about this call: its status. */
function statusOf(call) {
  return call.then(
    answer => answer.status,
    error => error.status
  );
}

/** The token is dead. */
function dies(token) {
  return eventually(
    'the token is dead',
    async () => {
      const answer = await request(stoa, '/v1/api/current_user/show', { token });
      return answer.status === 401;
    },
    SOON_MS
  );
}

// contract: operator settings/update, users 46
test('name and description of the marketplace change for the SDKs of both APIs', async () => {
  await operator.does('settings/update', {
    marketplaceName: 'Agora',
    marketplaceDescription: 'Between the columns',
  });
  for (const sdk of [marketplaceSdk(stoa), integrationSdk(stoa)]) {
    const shown = await eventually(
      'the name is known',
      async () => {
        const answer = await sdk.marketplace.show();
        const { attributes } = answer.data.data;
        return attributes.name === 'Agora' && attributes;
      },
      SOON_MS
    );
    assert.equal(shown.description, 'Between the columns');
  }
  await operator.does('settings/update', { marketplaceDescription: null });
  assert.equal((await settings()).marketplaceDescription, null);
});

// contract: operator settings/update, auth 35, users 26
test('a switch counts for visitors and new users within a second, and back', async () => {
  const visitor = marketplaceSdk(stoa);
  const turn = async on => {
    await operator.does('settings/update', {
      accessControl: { marketplace: { private: on }, users: { requireApprovalToJoin: on } },
    });
    await eventually(
      'visitors see it',
      async () => (await statusOf(visitor.listings.query())) === (on ? 403 : 200),
      SOON_MS
    );
  };
  await turn(true);
  await refused(visitor.listings.query(), 403, 'forbidden');
  const pending = await signUp(stoa);
  const me = await pending.sdk.currentUser.show();
  assert.equal(me.data.data.attributes.state, 'pendingApproval');
  await turn(false);
  const person = await signUp(stoa);
  const shown = await person.sdk.currentUser.show();
  assert.equal(shown.data.data.attributes.state, 'active');
});

// contract: operator settings/update (merges deeply, unknown keys 400)
test('settings keep what is not given and refuse what they do not know', async () => {
  const link = { type: 'external', text: 'Ask us', href: 'https://help.example/join' };
  await operator.does('settings/update', {
    accessControl: { users: { requirePermissionToReadOptions: { callToAction: link } } },
  });
  await operator.does('settings/update', { passwords: { minLength: 10 } });
  await operator.does('settings/update', {
    accessControl: {
      users: { requirePermissionToReadOptions: { callToAction: { text: 'Ask' } } },
    },
  });
  const now = await settings();
  const options = now.accessControl.users.requirePermissionToReadOptions;
  assert.deepEqual(options.callToAction, { ...link, text: 'Ask' });
  assert.deepEqual(now.passwords, { minLength: 10 });
  await operator.does('settings/update', { passwords: { minLength: 8 } });
  const unknown = { accessControl: { listings: { requireMoney: true } } };
  const path = ['accessControl', 'listings', 'requireMoney'];
  await refused(operator.post('settings/update', unknown), 400, 'validation-disallowed-key', path);
});

// contract: operator 1
test('no token of a marketplace or an integration opens settings, mails or operator sessions', async () => {
  const person = await signUp(stoa);
  const tokens = [
    await anonymousToken(stoa),
    accessToken(person),
    accessToken({ sdk: await trusted(stoa, person) }),
    await integrationToken(stoa),
  ];
  const before = await settings();
  for (const token of tokens) {
    for (const [path, json] of [
      ['settings/show'],
      ['settings/update', { marketplaceName: 'Mine' }],
      ['builtin_emails/query'],
      ['builtin_emails/update', { name: 'new-message', enabled: false }],
      [`sessions/query?userId=${person.id.uuid}`],
      ['sessions/revoke', { id: unknownId().uuid }],
    ]) {
      const answer = await request(stoa, `/v1/operator_api/${path}`, { token, json });
      await refused(answer, 403, 'forbidden');
    }
  }
  assert.deepEqual(await settings(), before);
});

// contract: operator builtin_emails/update
test('an operator edits a built-in mail, and a template at fault is told with its place', async () => {
  const name = 'user-approved';
  await operator.does('builtin_emails/update', { name, subject: 'Come in, {{recipient.first-name}}' });
  const mail = async () => {
    const answer = await operator.get('builtin_emails/query');
    return answer.body.data.find(found => found.attributes.name === name).attributes;
  };
  assert.equal((await mail()).subject, 'Come in, {{recipient.first-name}}');
  const broken = await refused(
    operator.post('builtin_emails/update', { name, html: '<p>\n{{#if a}}' }),
    400,
    'invalid-template',
    ['html']
  );
  assert.equal(broken.meta.templateName, name);
  assert.ok(Number(broken.meta.line) >= 1 && broken.meta.reason);
  await operator.does('builtin_emails/update', { name, subject: null });
  assert.equal((await mail()).subject, null);
});

// contract: security S19, users section 5.6
test('a person lists the own sessions and ends the one on another device', async () => {
  const person = await signUp(stoa);
  const phone = marketplaceSdk(stoa);
  await phone.login({ username: person.email, password: PASSWORD });
  const stolen = phone.store.getToken();
  const listed = await request(stoa, '/v1/api/sessions/query', { token: accessToken(person) });
  const sessions = listed.body.data;
  assert.equal(sessions.length, 2);
  assert.deepEqual(
    sessions.map(session => session.attributes.current),
    [false, true]
  );
  const json = { id: sessions[0].id };
  const stranger = await signUp(stoa);
  const foreign = request(stoa, '/v1/api/sessions/revoke', { token: accessToken(stranger), json });
  await refused(foreign, 409, 'conflict');
  const ended = await request(stoa, '/v1/api/sessions/revoke', { token: accessToken(person), json });
  assert.equal(ended.status, 200, ended.text);
  await dies(stolen.access_token);
  const refreshed = await grant(stoa, {
    client_id: stoa.credentials.marketplaceClientId,
    grant_type: 'refresh_token',
    refresh_token: stolen.refresh_token,
  });
  assert.equal(refreshed.status, 401);
  // The SDK of that device goes on as a visitor, and the other one as before.
  assert.equal((await phone.listings.query()).status, 200);
  assert.equal((await phone.authInfo()).isAnonymous, true);
  assert.equal((await person.sdk.currentUser.show()).status, 200);
});

// contract: operator sessions/query, operator sessions/revoke
test('an operator ends a session of a user, and visitors have none', async () => {
  const person = await signUp(stoa);
  const path = `sessions/query?userId=${person.id.uuid}`;
  const listed = await operator.get(path);
  assert.equal(listed.body.meta.totalItems, 1);
  assert.ok(!listed.text.includes(person.sdk.store.getToken().refresh_token));
  await operator.does('sessions/revoke', { id: listed.body.data[0].id, reason: 'A stolen phone' });
  await dies(accessToken(person));
  assert.deepEqual((await operator.get(path)).body.data, []);
  await refused(operator.get(`sessions/query?userId=${unknownId().uuid}`), 404, 'not-found');
  const visitor = await anonymousToken(stoa);
  await refused(request(stoa, '/v1/api/sessions/query', { token: visitor }), 403, 'forbidden');
});
