// Accounts and profiles.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { integrationSdk, marketplaceSdk } from '../lib/sdk.js';
import { PASSWORD, accessToken, freshEmail, signUp, trusted } from '../lib/people.js';
import { anonymousToken, request } from '../lib/raw.js';
import { refused, related } from '../lib/expect.js';

let stoa;
let integ;

before(async () => {
  stoa = await startStoa();
  integ = integrationSdk(stoa);
});

const SIGN_UP = { password: PASSWORD, firstName: 'Olli', lastName: 'Foobar' };

// contract: users 1
test('a sign-up answers with the new current user and logs nobody in', async () => {
  const sdk = marketplaceSdk(stoa);
  const email = freshEmail();
  const created = await sdk.currentUser.create({ ...SIGN_UP, email }, { expand: true });
  const { type, attributes } = created.data.data;
  assert.equal(type, 'currentUser');
  assert.equal(attributes.email, email);
  assert.equal(attributes.emailVerified, false);
  assert.equal(attributes.pendingEmail, null);
  assert.equal(attributes.state, 'active');
  assert.equal(attributes.banned, false);
  assert.equal(attributes.deleted, false);
  assert.ok(attributes.createdAt instanceof Date);
  assert.deepEqual(attributes.identityProviders, []);
  assert.deepEqual(attributes.profile, {
    firstName: 'Olli',
    lastName: 'Foobar',
    displayName: 'Olli F',
    abbreviatedName: 'OF',
    bio: null,
    publicData: {},
    protectedData: {},
    privateData: {},
    metadata: {},
  });
  assert.equal(sdk.store.getToken().scope, 'public-read');
});

// contract: users 2, wire W12
test('a sign-up without expand answers with id and type only', async () => {
  const created = await marketplaceSdk(stoa).currentUser.create({ ...SIGN_UP, email: freshEmail() });
  assert.deepEqual(Object.keys(created.data), ['data']);
  assert.deepEqual(Object.keys(created.data.data).sort(), ['id', 'type']);
});

// contract: users 3
test('an address is taken in any letter case', async () => {
  const { email } = await signUp(stoa, { email: `A.${freshEmail()}` });
  const call = marketplaceSdk(stoa).currentUser.create({ ...SIGN_UP, email: email.toUpperCase() });
  await refused(call, 409, 'email-taken');
});

// contract: users 4
test('a short password and a missing name are refused, each with its path', async () => {
  const sdk = marketplaceSdk(stoa);
  const email = freshEmail();
  const short = sdk.currentUser.create({ ...SIGN_UP, email, password: '1234567' });
  await refused(short, 400, 'validation-invalid-value', ['password']);
  const nameless = sdk.currentUser.create({ email, password: PASSWORD, firstName: 'Olli' });
  await refused(nameless, 400, 'validation-missing-key', ['lastName']);
  await refused(integ.users.show({ email }), 404, 'not-found');
});

// contract: users 50
test('an address without at sign is refused with its path', async () => {
  const call = marketplaceSdk(stoa).currentUser.create({ ...SIGN_UP, email: 'no-at-sign' });
  await refused(call, 400, 'validation-invalid-value', ['email']);
});

test('all problems of a request are told at once', async () => {
  const told = async body => {
    try {
      await marketplaceSdk(stoa).currentUser.create(body);
    } catch (error) {
      assert.equal(error.status, 400);
      return error.data.errors.map(one => `${one.code} ${one.source.path.join('.')}`).sort();
    }
    return [];
  };
  assert.deepEqual(await told({ email: 5, password: PASSWORD, colour: 1 }), [
    'validation-disallowed-key colour',
    'validation-invalid-value email',
    'validation-missing-key firstName',
    'validation-missing-key lastName',
  ]);
  assert.deepEqual(await told({ ...SIGN_UP, email: 'no-at-sign', password: 'x' }), [
    'validation-invalid-value email',
    'validation-invalid-value password',
  ]);
});

// contract: users 5
test('derived names follow the first name', async () => {
  const { sdk } = await signUp(stoa);
  const answer = await sdk.currentUser.updateProfile({ firstName: 'olli-test' }, { expand: true });
  const { profile } = answer.data.data.attributes;
  assert.equal(profile.displayName, 'olli-test F');
  assert.equal(profile.abbreviatedName, 'oF');
});

// contract: users 6
test('a display name of one’s own holds until it is set to null', async () => {
  const { sdk } = await signUp(stoa);
  const name = async displayName => {
    const answer = await sdk.currentUser.updateProfile({ displayName }, { expand: true });
    return answer.data.data.attributes.profile.displayName;
  };
  assert.equal(await name('Captain'), 'Captain');
  assert.equal(await name(null), 'Olli F');
});

// contract: users 7
test('extended data is merged by its top-level keys, and null removes one', async () => {
  const { sdk } = await signUp(stoa, { publicData: { a: { x: 1, y: 2 }, b: 1 } });
  const answer = await sdk.currentUser.updateProfile(
    { publicData: { a: { x: 9 }, b: null, c: [1] } },
    { expand: true }
  );
  assert.deepEqual(answer.data.data.attributes.profile.publicData, { a: { x: 9 }, c: [1] });
});

// contract: users 8
test('extended data over its limit is refused and the stored data stays', async () => {
  const { sdk } = await signUp(stoa, { privateData: { kept: true } });
  const big = size => ({ privateData: { [`k${size}`]: 'x'.repeat(size) } });
  await refused(sdk.currentUser.updateProfile(big(60_000)), 400, 'validation-invalid-value');
  await sdk.currentUser.updateProfile(big(30_000));
  await refused(sdk.currentUser.updateProfile(big(30_001)), 400, 'validation-invalid-value');
  const shown = await sdk.currentUser.show();
  const { privateData } = shown.data.data.attributes.profile;
  assert.deepEqual(Object.keys(privateData).sort(), ['k30000', 'kept']);
});

// contract: users 9
test('other users and visitors see the public profile only', async () => {
  const person = await signUp(stoa, {
    bio: 'Rides.',
    publicData: { a: 1 },
    protectedData: { phone: '1' },
    privateData: { secret: '2' },
  });
  await integ.users.updateProfile({ id: person.id.uuid, metadata: { level: 3 } });
  const other = await signUp(stoa);
  for (const sdk of [other.sdk, marketplaceSdk(stoa)]) {
    const shown = await sdk.users.show({ id: person.id });
    const { type, attributes } = shown.data.data;
    assert.equal(type, 'user');
    assert.deepEqual(Object.keys(attributes).sort(), ['banned', 'createdAt', 'deleted', 'profile']);
    assert.deepEqual(attributes.profile, {
      displayName: 'Olli F',
      abbreviatedName: 'OF',
      bio: 'Rides.',
      publicData: { a: 1 },
      metadata: { level: 3 },
    });
  }
});

// contract: users 10, integration I4
test('the Integration API shows a user by address with all data and permissions', async () => {
  const person = await signUp(stoa, { protectedData: { phone: '1' }, privateData: { secret: '2' } });
  const shown = await integ.users.show({
    email: person.email.toUpperCase(),
    include: ['effectivePermissionSet'],
  });
  const { id, type, attributes } = shown.data.data;
  assert.equal(id.uuid, person.id.uuid);
  assert.equal(type, 'user');
  assert.equal(attributes.email, person.email);
  assert.equal(attributes.state, 'active');
  assert.equal(attributes.profile.firstName, 'Olli');
  assert.deepEqual(attributes.profile.protectedData, { phone: '1' });
  assert.deepEqual(attributes.profile.privateData, { secret: '2' });
  assert.deepEqual(Object.keys(attributes.permissions).sort(), [
    'initiateTransactions',
    'postListings',
    'read',
  ]);
  const effective = related(shown, 'effectivePermissionSet');
  assert.equal(effective.type, 'permissionSet');
  assert.equal(effective.attributes.postListings, 'permission/allow');
});

test('a user is asked for by id or by address, not by both or none', async () => {
  const person = await signUp(stoa);
  const both = { id: person.id.uuid, email: person.email };
  await refused(integ.users.show(both), 400, 'validation-invalid-params');
  await refused(integ.users.show(), 400, 'validation-invalid-params');
});

// contract: users 11
test('metadata is written by the Integration API and only read by its user', async () => {
  const { sdk, id } = await signUp(stoa);
  const call = sdk.currentUser.updateProfile({ metadata: { x: 1 } });
  await refused(call, 400, 'validation-disallowed-key', ['metadata']);
  await integ.users.updateProfile({ id: id.uuid, metadata: { x: 1 } });
  const shown = await sdk.currentUser.show();
  assert.deepEqual(shown.data.data.attributes.profile.metadata, { x: 1 });
});

// contract: users 17
test('a wrong current password changes nothing', async () => {
  const person = await signUp(stoa);
  const stored = person.sdk.store.getToken();
  const change = person.sdk.currentUser.changePassword({
    currentPassword: 'not the password',
    newPassword: 'another fine phrase',
  });
  await refused(change, 403, 'forbidden');
  const sdk = await trusted(stoa, person);
  await refused(sdk.currentUser.delete({ currentPassword: 'not the password' }), 403, 'forbidden');
  assert.deepEqual(person.sdk.store.getToken(), stored);
  const again = await marketplaceSdk(stoa).login({ username: person.email, password: PASSWORD });
  assert.equal(again.status, 200);
});

test('a deletion without a body is a bad request', async () => {
  const person = await signUp(stoa);
  const sdk = await trusted(stoa, person);
  const answer = await request(stoa, '/v1/api/current_user/delete', {
    method: 'POST',
    token: sdk.store.getToken().access_token,
  });
  await refused(answer, 400, 'validation-missing-key', ['currentPassword']);
});

// contract: users 44, integration I5
test('users can be counted by the time they joined', async () => {
  await signUp(stoa);
  const earlier = await signUp(stoa);
  const shown = await earlier.sdk.currentUser.show();
  const joined = shown.data.data.attributes.createdAt;
  const later = [await signUp(stoa), await signUp(stoa)];
  const found = await integ.users.query({
    createdAtStart: new Date(joined.getTime() + 1),
    perPage: 1,
    'fields.user': 'none',
  });
  assert.equal(found.data.meta.totalItems, later.length);
  assert.equal(found.data.meta.totalPages, later.length);
  assert.equal(found.data.data.length, 1);
  assert.equal(found.data.data[0].id.uuid, later[1].id.uuid, 'newest first');
  assert.deepEqual(found.data.data[0].attributes, {});
});

test('users are listed newest first or oldest first, and ten at a time', async () => {
  const people = [await signUp(stoa), await signUp(stoa), await signUp(stoa)];
  const joined = (await people[0].sdk.currentUser.show()).data.data.attributes.createdAt;
  const find = async params => {
    const found = await integ.users.query({ createdAtStart: joined, ...params });
    return found.data.data.map(user => user.id.uuid);
  };
  const order = people.map(person => person.id.uuid);
  assert.deepEqual(await find({ sort: '-createdAt' }), order);
  assert.deepEqual(await find({ sort: 'createdAt' }), [...order].reverse());
  assert.deepEqual(await find({ perPage: 2, page: 2 }), [order[0]]);
  assert.deepEqual(await find({ pub_unknown: 'x', prot_unknown: '1,2' }), [...order].reverse());
  await refused(integ.users.query({ sort: 'email' }), 400, 'validation-invalid-value', ['sort']);
  await refused(integ.users.query({ perPage: 0 }), 400, 'validation-invalid-value', ['perPage']);
  await refused(integ.users.query({ createdAtStart: 'soon' }), 400, 'validation-invalid-value');
});

// contract: users 46
test('the marketplace is shown in JSON with its name and description', async () => {
  const token = await anonymousToken(stoa);
  const answer = await request(stoa, '/v1/api/marketplace/show', {
    token,
    headers: { accept: 'application/json' },
  });
  assert.equal(answer.status, 200);
  const { id, type, attributes } = answer.body.data;
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.equal(type, 'marketplace');
  assert.deepEqual(Object.keys(attributes).sort(), ['description', 'name']);
  assert.equal(typeof attributes.name, 'string');
});

test('an unknown user is not found, a malformed id is a bad value', async () => {
  const sdk = marketplaceSdk(stoa);
  const unknown = '00000000-0000-4000-8000-000000000000';
  await refused(sdk.users.show({ id: unknown }), 404, 'not-found');
  await refused(sdk.users.show({ id: 'nobody' }), 400, 'validation-invalid-value', ['id']);
  await refused(sdk.users.show(), 400, 'validation-missing-key', ['id']);
  await refused(integ.users.updateProfile({ id: unknown, bio: 'x' }), 409, 'user-not-found');
});

test('the current user includes what the web template asks for', async () => {
  const { sdk } = await signUp(stoa);
  const shown = await sdk.currentUser.show({
    include: ['effectivePermissionSet', 'profileImage', 'stripeAccount'],
    'fields.image': ['variants.square-small', 'variants.square-small2x'],
    'imageVariant.square-xsmall': 'w:40;h:40;fit:crop',
  });
  const { relationships } = shown.data.data;
  assert.deepEqual(relationships.profileImage, { data: null });
  assert.deepEqual(relationships.stripeAccount, { data: null });
  assert.equal(related(shown, 'effectivePermissionSet').attributes.read, 'permission/allow');
});

// contract: auth 10
test('what needs a user is forbidden to a visitor', async () => {
  const token = await anonymousToken(stoa);
  for (const path of ['current_user/update_profile', 'current_user/change_password', 'current_user/delete']) {
    await refused(request(stoa, `/v1/api/${path}`, { token, json: {} }), 403, 'forbidden');
  }
  const person = await signUp(stoa);
  const answer = await request(stoa, '/v1/api/current_user/show', { token: accessToken(person) });
  assert.equal(answer.body.data.id, person.id.uuid);
});
