// Addresses, their verification, and new passwords.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { integrationSdk, marketplaceSdk } from '../lib/sdk.js';
import { Operator, PASSWORD, accessToken, freshEmail, signUp } from '../lib/people.js';
import { anonymousToken, grant, request } from '../lib/raw.js';
import { refused } from '../lib/expect.js';

const VERIFY = /^Confirm your e-mail address/;
const VERIFY_NEW = /^Confirm your new e-mail address/;
const ABOUT_TO_CHANGE = /about to change$/;
const RESET = /^Reset your/;
const CHANGED = /password was changed$/;
const WELCOME = /^Welcome/;

let stoa;
let integ;
let operator;

before(async () => {
  stoa = await startStoa({ virtualClock: process.env.STOA_MODE !== 'distributed' });
  integ = integrationSdk(stoa);
  operator = await Operator.signIn(stoa);
});

/** A user whose address is verified. */
async function verifiedUser() {
  const person = await signUp(stoa);
  const { token } = await stoa.mailbox.arrival(person.email, VERIFY);
  await person.sdk.currentUser.verifyEmail({ verificationToken: token });
  await stoa.mailbox.arrival(person.email, WELCOME);
  return person;
}

async function account(person) {
  return (await person.sdk.currentUser.show()).data.data.attributes;
}

async function logsIn(email, password) {
  try {
    await marketplaceSdk(stoa).login({ username: email, password });
    return true;
  } catch (error) {
    assert.equal(error.status, 401);
    return false;
  }
}

/** The mails to an address once everything that was asked for before has been sent. */
async function mailsTo(email) {
  // Mails leave in the order in which they were asked for.
  const control = await signUp(stoa);
  await stoa.mailbox.arrival(control.email, VERIFY);
  return stoa.mailbox.to(email);
}

// contract: users 1
test('a sign-up sends one mail with a token', async () => {
  const { email } = await signUp(stoa);
  const mail = await stoa.mailbox.arrival(email, VERIFY);
  assert.match(mail.token, /^sev_[\w-]{43}$/);
  assert.ok(mail.text.includes('Hello Olli,') && mail.html.includes('<html lang="en">'));
  assert.equal((await mailsTo(email)).length, 1);
});

// contract: users 12
test('either of two tokens verifies the address, and the other takes nothing back', async () => {
  const person = await signUp(stoa);
  await person.sdk.currentUser.sendVerificationEmail();
  const first = await stoa.mailbox.arrival(person.email, VERIFY, 1);
  const second = await stoa.mailbox.arrival(person.email, VERIFY, 2);
  assert.notEqual(first.token, second.token);
  const answer = await person.sdk.currentUser.verifyEmail(
    { verificationToken: second.token },
    { expand: true }
  );
  assert.equal(answer.data.data.type, 'currentUser');
  assert.equal(answer.data.data.attributes.emailVerified, true);
  await stoa.mailbox.arrival(person.email, WELCOME);
  await person.sdk.currentUser.verifyEmail({ verificationToken: first.token });
  assert.equal((await account(person)).emailVerified, true);
  const again = person.sdk.currentUser.verifyEmail({ verificationToken: second.token });
  await refused(again, 409, 'email-verification-failed');
  const nothing = person.sdk.currentUser.sendVerificationEmail();
  await refused(nothing, 409, 'email-already-verified');
});

// contract: users 13
test('a token works for 48 hours', async t => {
  if (stoa.advance) return t.skip('domain time stands still here');
  const person = await signUp(stoa);
  const { token } = await stoa.mailbox.arrival(person.email, VERIFY);
  await operator.advance({ hours: 48 });
  const late = person.sdk.currentUser.verifyEmail({ verificationToken: token });
  await refused(late, 409, 'email-verification-failed');
  assert.equal((await account(person)).emailVerified, false);
});

test('a token of another user, a made-up one and a number verify nothing', async () => {
  const [person, other] = [await signUp(stoa), await signUp(stoa)];
  const { token } = await stoa.mailbox.arrival(other.email, VERIFY);
  for (const verificationToken of [token, 'sev_made-up', 42]) {
    const call = person.sdk.currentUser.verifyEmail({ verificationToken });
    await refused(call, 409, 'email-verification-failed');
  }
  const call = person.sdk.currentUser.verifyEmail({});
  await refused(call, 400, 'validation-missing-key', ['verificationToken']);
});

// contract: users 14, users 15
test('a verified address stays until the new one is verified', async () => {
  const person = await verifiedUser();
  const email = freshEmail('new');
  const asked = await person.sdk.currentUser.changeEmail(
    { email, currentPassword: PASSWORD },
    { expand: true }
  );
  assert.equal(asked.data.data.attributes.email, person.email);
  assert.equal(asked.data.data.attributes.pendingEmail, email);
  await stoa.mailbox.arrival(person.email, ABOUT_TO_CHANGE);
  const { token } = await stoa.mailbox.arrival(email, VERIFY_NEW);
  assert.equal(await logsIn(person.email, PASSWORD), true);
  assert.equal(await logsIn(email, PASSWORD), false);

  await person.sdk.currentUser.verifyEmail({ verificationToken: token });
  const now = await account(person);
  assert.deepEqual([now.email, now.pendingEmail, now.emailVerified], [email, null, true]);
  assert.equal(await logsIn(email, PASSWORD), true);
  assert.equal(await logsIn(person.email, PASSWORD), false);
  const told = await mailsTo(person.email);
  assert.equal(told.filter(mail => ABOUT_TO_CHANGE.test(mail.subject)).length, 1);
  await signUp(stoa, { email: person.email });
});

// contract: users 16
test('an address that was never verified gives way at once', async () => {
  const person = await signUp(stoa);
  const email = freshEmail('new');
  await person.sdk.currentUser.changeEmail({ email, currentPassword: PASSWORD });
  const now = await account(person);
  assert.deepEqual([now.email, now.pendingEmail, now.emailVerified], [email, null, false]);
  await stoa.mailbox.arrival(email, VERIFY_NEW);
  const told = await mailsTo(person.email);
  assert.equal(told.filter(mail => ABOUT_TO_CHANGE.test(mail.subject)).length, 0);
});

// contract: users 17
test('a wrong password changes no address and keeps the session', async () => {
  const person = await verifiedUser();
  const before = person.sdk.store.getToken();
  const call = person.sdk.currentUser.changeEmail({
    email: freshEmail(),
    currentPassword: 'wrong horse',
  });
  await refused(call, 403, 'forbidden');
  assert.deepEqual(person.sdk.store.getToken(), before);
  assert.equal((await account(person)).pendingEmail, null);
});

// contract: users 18
test('an address of somebody else, in use or waiting, cannot be had', async () => {
  const [person, other] = [await signUp(stoa), await verifiedUser()];
  const waiting = freshEmail('waiting');
  await other.sdk.currentUser.changeEmail({ email: waiting, currentPassword: PASSWORD });
  for (const email of [other.email.toUpperCase(), waiting]) {
    const call = person.sdk.currentUser.changeEmail({ email, currentPassword: PASSWORD });
    await refused(call, 409, 'email-taken');
  }
});

// contract: users 19
test('an address gets no more than five mails', async () => {
  const person = await signUp(stoa);
  const outcomes = [];
  for (let n = 0; n < 6; n += 1) {
    try {
      outcomes.push((await person.sdk.currentUser.sendVerificationEmail()).status);
    } catch (error) {
      outcomes.push(`${error.status} ${error.data.errors[0].code}`);
    }
  }
  assert.equal(outcomes.at(-1), '429 email-too-many-verification-requests');
  assert.equal(outcomes.filter(status => status === 200).length, 4);
  assert.equal((await mailsTo(person.email)).length, 5);
});

// contract: users 20, security S40
test('a reset is mailed to the stored address, and the answer tells nothing', async () => {
  const { email } = await signUp(stoa);
  const sdk = marketplaceSdk(stoa);
  const answer = await sdk.passwordReset.request({ email: email.toUpperCase() }, { expand: true });
  assert.equal(answer.data.data.type, 'passwordReset');
  assert.deepEqual(answer.data.data.attributes ?? {}, {});
  const mail = await stoa.mailbox.arrival(email, RESET);
  assert.match(mail.token, /^spr_[\w-]{43}$/);
  assert.ok(!JSON.stringify(answer.data).includes(mail.token));
  assert.ok(mail.text.includes(`&e=${encodeURIComponent(email)}`), mail.text);
  const unknown = freshEmail('nobody');
  await refused(sdk.passwordReset.request({ email: unknown }), 409, 'email-not-found');
  assert.equal((await mailsTo(unknown)).length, 0);
});

// contract: users 21, auth 12
test('a token gives one new password and ends every session', async () => {
  const person = await signUp(stoa);
  const sdk = marketplaceSdk(stoa);
  await sdk.passwordReset.request({ email: person.email });
  const { token } = await stoa.mailbox.arrival(person.email, RESET);
  const change = { email: person.email, passwordResetToken: token, newPassword: 'brand new horse' };
  const other = await signUp(stoa);
  await refused(sdk.passwordReset.reset({ ...change, email: other.email }), 403, 'forbidden');

  const answer = await sdk.passwordReset.reset(change);
  assert.equal(answer.data.data.type, 'passwordReset');
  await stoa.mailbox.arrival(person.email, CHANGED);
  assert.equal(await logsIn(person.email, PASSWORD), false);
  assert.equal(await logsIn(person.email, 'brand new horse'), true);
  const refreshed = await grant(stoa, {
    client_id: stoa.credentials.marketplaceClientId,
    grant_type: 'refresh_token',
    refresh_token: person.sdk.store.getToken().refresh_token,
  });
  assert.equal(refreshed.status, 401);
  const again = sdk.passwordReset.reset({ ...change, newPassword: 'another horse' });
  await refused(again, 403, 'forbidden');
});

// contract: security S43
test('a reset gives up a change of address that waits', async () => {
  const person = await verifiedUser();
  const email = freshEmail('thief');
  await person.sdk.currentUser.changeEmail({ email, currentPassword: PASSWORD });
  const thief = await stoa.mailbox.arrival(email, VERIFY_NEW);
  const sdk = marketplaceSdk(stoa);
  await sdk.passwordReset.request({ email: person.email });
  const { token } = await stoa.mailbox.arrival(person.email, RESET);
  await sdk.passwordReset.reset({
    email: person.email,
    passwordResetToken: token,
    newPassword: 'brand new horse',
  });
  await sdk.login({ username: person.email, password: 'brand new horse' });
  const late = sdk.currentUser.verifyEmail({ verificationToken: thief.token });
  await refused(late, 409, 'email-verification-failed');
  const { pendingEmail } = (await sdk.currentUser.show()).data.data.attributes;
  assert.equal(pendingEmail, null);
});

// contract: security S43
test('a new password is told to the verified address', async () => {
  const person = await verifiedUser();
  const { sdk, email } = person;
  await sdk.currentUser.changePassword({ currentPassword: PASSWORD, newPassword: 'brand new horse' });
  await stoa.mailbox.arrival(email, CHANGED);
  assert.equal((await account(person)).email, email);
});

// contract: users 45, integration I4
test('an integration vouches for an address', async () => {
  const person = await signUp(stoa);
  const { id, email } = person;
  const foreign = integ.users.verifyEmail({ id, email: freshEmail() });
  await refused(foreign, 409, 'email-not-found');
  const answer = await integ.users.verifyEmail({ id, email }, { expand: true });
  assert.equal(answer.data.data.type, 'user');
  assert.equal(answer.data.data.attributes.emailVerified, true);
  await stoa.mailbox.arrival(email, WELCOME);
  await refused(integ.users.verifyEmail({ id, email }), 409, 'email-already-verified');

  const next = freshEmail('next');
  await person.sdk.currentUser.changeEmail({ email: next, currentPassword: PASSWORD });
  // The operator does the same.
  const vouched = await operator.does('users/verify_email', { id: id.uuid, email: next });
  assert.equal(vouched.data.id, id.uuid);
  const now = await account(person);
  assert.deepEqual([now.email, now.pendingEmail], [next, null]);
  const unknown = '00000000-0000-4000-8000-000000000000';
  await refused(integ.users.verifyEmail({ id: unknown, email }), 409, 'user-not-found');
});

// contract: security S36
test('common passwords and names are refused, and only for new passwords', async () => {
  const fields = { firstName: 'Leonardo', lastName: 'Vinci', email: freshEmail() };
  for (const password of ['password', 'Sunshine', 'leonardo-1519']) {
    const call = marketplaceSdk(stoa).currentUser.create({ ...fields, password });
    await refused(call, 400, 'validation-invalid-value', ['password']);
  }
  const { sdk } = await signUp(stoa, fields);
  const call = sdk.currentUser.changePassword({
    currentPassword: PASSWORD,
    newPassword: 'iloveyou',
  });
  await refused(call, 400, 'validation-invalid-value', ['newPassword']);
});

// contract: security S41
test('no header of a request gets into the link of a mail', async () => {
  const { email } = await signUp(stoa);
  const answer = await request(stoa, '/v1/api/password_reset/request', {
    token: await anonymousToken(stoa),
    json: { email },
    headers: { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
  });
  assert.equal(answer.status, 200);
  const mail = await stoa.mailbox.arrival(email, RESET);
  assert.ok(!mail.text.includes('evil.example') && !mail.html.includes('evil.example'));
});

// contract: security S54, S63
test('a name adds no header and no link to a mail', async () => {
  const email = freshEmail();
  await signUp(stoa, { email, firstName: 'http://x.y/z', lastName: 'Bcc: x@y.z' });
  const mail = await stoa.mailbox.arrival(email, VERIFY);
  assert.ok(!/^bcc/im.test(mail.headers));
  assert.ok(!mail.text.includes('http://x.y'));
});

// contract: security S46 (mails in files)
test('a deleted person leaves no mail behind', async t => {
  if (!stoa.data) return t.skip('a mail server keeps what it has');
  const person = await signUp(stoa);
  await stoa.mailbox.arrival(person.email, VERIFY);
  await operator.does('users/delete', { id: person.id.uuid });
  await operator.advance({ seconds: 1 });
  assert.equal((await stoa.mailbox.to(person.email)).length, 0);
  const dead = await request(stoa, '/v1/api/current_user/show', { token: accessToken(person) });
  assert.equal(dead.status, 401);
});
