// Approval, permissions, private marketplaces, and users found by their extended data.
// Settings hold for the whole marketplace, so every test sets what it needs.

import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { SOON_MS, eventually } from '../lib/eventually.js';
import { integrationSdk, marketplaceSdk } from '../lib/sdk.js';
import { Operator, signUp, trusted } from '../lib/people.js';
import { ask, publish, requestOn, word } from '../lib/market.js';
import { ids, included, refused, related } from '../lib/expect.js';

let stoa;
let operator;
let integ;
let visitor;

before(async () => {
  stoa = await startStoa();
  operator = await Operator.signIn(stoa);
  integ = integrationSdk(stoa);
  visitor = marketplaceSdk(stoa);
});

const OPEN = {
  marketplace: { private: false },
  users: {
    requireApprovalToJoin: false,
    requirePermissionToPostListings: false,
    requirePermissionToInitiateTransactions: false,
    requirePermissionToRead: false,
  },
};

function access(accessControl) {
  return operator.does('settings/update', { accessControl });
}

/** Whether whoever joins now may do everything, in each service. */
async function isOpen() {
  const { sdk } = await signUp(stoa);
  const { state, permissions } = (await sdk.currentUser.show()).data.data.attributes;
  const all = { ...permissions, state };
  const open = 'permission/allow';
  if (all.state !== 'active' || all.postListings !== open || all.initiateTransactions !== open) return false;
  const calls = [sdk.ownListings.createDraft({ title: 'Draft' }), visitor.listings.query()];
  return (await Promise.allSettled(calls)).every(({ status }) => status === 'fulfilled');
}

// What the last test asked for may be heard of a moment later.
beforeEach(async () => {
  await access(OPEN);
  await eventually('the marketplace is open', isOpen, SOON_MS);
});

/** Waits until the call is refused with this code. */
function closes(call, code) {
  return eventually(
    code,
    async () => {
      try {
        await call();
        return false;
      } catch (error) {
        return error.data?.errors?.[0].code === code;
      }
    },
    SOON_MS
  );
}

/** Waits until the call goes through; its answer. */
function opens(call) {
  return eventually(
    'the call goes through',
    async () => {
      try {
        return await call();
      } catch (error) {
        if (error.status !== 403) throw error;
        return false;
      }
    },
    SOON_MS
  );
}

/** A person who waits for approval. */
async function waiting() {
  await access({ users: { requireApprovalToJoin: true } });
  return eventually(
    'whoever joins now waits',
    async () => {
      const person = await signUp(stoa);
      const shown = await person.sdk.currentUser.show();
      return shown.data.data.attributes.state === 'pendingApproval' && person;
    },
    SOON_MS
  );
}

// contract: users 26, 27
test('a person who waits for approval does little until an integration approves', async () => {
  const other = await signUp(stoa);
  const person = await waiting();
  const { sdk } = person;
  const draft = () => sdk.ownListings.createDraft({ title: 'Bike' });
  await refused(draft(), 403, 'permission-denied-pending-approval');
  await sdk.currentUser.updateProfile({ bio: 'Let me in.' });
  await refused(other.sdk.users.show({ id: person.id }), 404, 'not-found');
  const shown = await sdk.currentUser.show({ include: ['effectivePermissionSet'] });
  assert.equal(shown.data.data.attributes.permissions.postListings, 'permission/allow');
  assert.equal(related(shown, 'effectivePermissionSet').attributes.postListings, 'permission/deny');

  const approved = await integ.users.approve({ id: person.id.uuid }, { expand: true });
  assert.equal(approved.data.data.attributes.state, 'active');
  await opens(draft);
  assert.equal((await other.sdk.users.show({ id: person.id })).status, 200);
  assert.equal((await integ.users.approve({ id: person.id.uuid })).status, 200, 'once more');
  const events = await eventually('the approval is told', async () => {
    const found = await integ.events.query({ resourceId: person.id.uuid, eventTypes: 'user/updated' });
    return found.data.data.length >= 2 && found.data.data.map(event => event.attributes);
  });
  const { previousValues, source, auditData } = events.at(-1);
  assert.deepEqual(previousValues, { attributes: { state: 'pendingApproval' } });
  assert.equal(source, 'source/integration-api');
  assert.equal(auditData.userId, null);

  await operator.does('users/ban', { id: person.id.uuid });
  await refused(integ.users.approve({ id: person.id.uuid }), 409, 'user-not-pending-approval');
  const unknown = '00000000-0000-4000-8000-000000000000';
  await refused(integ.users.approve({ id: unknown }), 409, 'user-not-found');
});

// contract: users 28, 29
test('posting needs the permission while the marketplace asks for it', async () => {
  const { sdk, id } = await signUp(stoa);
  const person = { sdk, id };
  const listing = await publish(person);
  await sdk.ownListings.close({ id: listing });
  await integ.users.updatePermissions({ id: id.uuid, postListings: 'permission/deny' });
  await access({ users: { requirePermissionToPostListings: true } });
  const create = () => sdk.ownListings.create({ title: 'Bike' });
  await closes(create, 'permission-denied-post-listings');
  await refused(sdk.ownListings.open({ id: listing }), 403, 'permission-denied-post-listings');
  assert.equal((await sdk.ownListings.update({ id: listing, title: 'Old bike' })).status, 200);

  await access({ users: { requirePermissionToPostListings: false } });
  await opens(create);
  const shown = await eventually(
    'the effective permissions follow the settings',
    async () => {
      const found = await sdk.currentUser.show({ include: ['effectivePermissionSet'] });
      const { postListings } = related(found, 'effectivePermissionSet').attributes;
      return postListings === 'permission/allow' && found;
    },
    SOON_MS
  );
  assert.equal(shown.data.data.attributes.permissions.postListings, 'permission/deny');
  const effective = related(shown, 'effectivePermissionSet');
  assert.equal(effective.id.uuid, id.uuid);
  assert.deepEqual(effective.attributes, {
    postListings: 'permission/allow',
    initiateTransactions: 'permission/allow',
    read: 'permission/allow',
  });
});

// contract: users 30
test('initiating needs the permission, and a transaction that there is goes on', async () => {
  const [provider, customer] = await Promise.all([signUp(stoa), signUp(stoa)]);
  const listing = await publish(provider);
  const running = await ask(stoa, customer, listing);
  await access({ users: { requirePermissionToInitiateTransactions: true } });
  const deny = { initiateTransactions: 'permission/deny' };
  const changed = await integ.users.updatePermissions(
    { id: customer.id.uuid, ...deny },
    { expand: true }
  );
  assert.deepEqual(changed.data.data.attributes.permissions, {
    postListings: 'permission/allow',
    initiateTransactions: 'permission/deny',
    read: 'permission/allow',
  });
  await eventually(
    'the effective permissions follow the settings',
    async () => {
      const shown = await integ.users.show({ id: customer.id.uuid, include: ['effectivePermissionSet'] });
      const effective = related(shown, 'effectivePermissionSet').attributes;
      return effective.initiateTransactions === 'permission/deny';
    },
    SOON_MS
  );
  const sdk = await trusted(stoa, customer);
  const initiate = () => sdk.transactions.initiate(requestOn(listing));
  await closes(initiate, 'permission-denied-initiate-transactions');
  const accept = { id: running, transition: 'transition/accept', params: {} };
  assert.equal((await provider.sdk.transactions.transition(accept)).status, 200);
  // Nested, as the typings of others write it, and by the operator.
  const nested = { id: customer.id.uuid, permissions: { initiateTransactions: 'permission/allow' } };
  await integ.users.updatePermissions(nested);
  await opens(initiate);
  await operator.does('users/update_permissions', { id: customer.id.uuid, ...deny });
  await closes(initiate, 'permission-denied-initiate-transactions');
  const bad = { id: customer.id.uuid, read: 'deny' };
  await refused(integ.users.updatePermissions(bad), 400, 'validation-invalid-value', ['read']);
});

// contract: users 31, auth 35, search S46
test('a private marketplace is closed to visitors and to whom it does not let read', async () => {
  const [reader, other] = await Promise.all([signUp(stoa), signUp(stoa)]);
  const pending = await waiting();
  await access({ marketplace: { private: true }, users: { requirePermissionToRead: true } });
  await integ.users.updatePermissions({ id: reader.id.uuid, read: 'permission/deny' });
  await closes(() => reader.sdk.listings.query(), 'permission-denied-read');
  for (const [sdk, code] of [
    [visitor, 'forbidden'],
    [reader.sdk, 'permission-denied-read'],
    [pending.sdk, 'user-pending-approval'],
  ]) {
    await refused(sdk.listings.query(), 403, code);
    await refused(sdk.users.show({ id: other.id }), 403, code);
    await refused(sdk.reviews.query({ subject_id: other.id }), 403, code);
  }
  for (const { sdk } of [reader, pending]) {
    assert.equal((await sdk.currentUser.show()).status, 200);
    assert.equal((await sdk.ownListings.query()).status, 200);
  }
  assert.equal((await other.sdk.listings.query()).status, 200);
  assert.equal((await visitor.marketplace.show()).status, 200);
  assert.equal((await integ.listings.query()).status, 200);
});

// contract: users 43, 44, search S3, S6, S7, S9, S10, S22
test('users are found by the declared keys of every kind of extended data', async () => {
  const mark = word('mark');
  for (const [key, schemaType, scope, more] of [
    [mark, 'enum', 'public'],
    ['languages', 'multi-enum', 'private'],
    ['age', 'long', 'protected'],
    ['verified', 'boolean', 'metadata', { default: false }],
  ]) {
    await operator.searchable(key, schemaType, { schemaFor: 'userProfile', scope, ...more });
  }
  const names = new Map();
  for (const [name, publicData, protectedData, privateData] of [
    ['ada', { [mark]: 'a' }, { age: 18 }, { languages: ['fi'] }],
    ['bob', { [mark]: 'b' }, { age: 29 }, { languages: ['fi', 'sv'] }],
    ['cat', { [mark]: 'a' }, { age: 30 }, { languages: ['sv'] }],
    ['dan', { [mark]: 'a' }, { age: '30' }, { languages: 'fi' }],
  ]) {
    const person = await signUp(stoa, { publicData, protectedData, privateData });
    names.set(person.id.uuid, name);
  }
  const mine = { [`pub_${mark}`]: 'a,b' };
  await eventually('the keys are searched by', async () => {
    const found = await integ.users.query({ ...mine, perPage: 1 });
    return found.data.meta.totalItems === names.size;
  });
  const find = async params => {
    const found = await integ.users.query({ ...mine, sort: '-createdAt', ...params });
    assert.equal(found.data.meta.totalItems, found.data.data.length);
    return ids(found).map(id => names.get(id)).join(' ');
  };
  for (const [params, expected] of [
    [{ prot_age: [18, 30] }, 'ada bob'],
    [{ prot_age: '30' }, 'cat'],
    [{ prot_age: ',29' }, 'ada'],
    [{ prot_age: '29,', sort: 'prot_age' }, 'cat bob'],
    [{ priv_languages: 'fi,sv' }, 'bob'],
    [{ priv_languages: 'has_any:fi,sv' }, 'ada bob cat'],
    [{ priv_languages: 'has_all:fi', prot_age: '18,29' }, 'ada'],
    [{ [`pub_${mark}`]: 'a', sort: '-prot_age,createdAt' }, 'ada cat dan'],
    [{ meta_verified: true }, ''],
    [{ meta_verified: false, pub_unknown: 'x' }, 'ada bob cat dan'],
  ]) {
    assert.equal(await find(params), expected, JSON.stringify(params));
  }
  const [bob] = [...names].find(([, name]) => name === 'bob');
  await integ.users.updateProfile({ id: bob, metadata: { verified: true } });
  assert.equal(await find({ meta_verified: true }), 'bob', 'at once');
  const sparse = await integ.users.query({ ...mine, prot_age: 29, 'fields.user': ['email'] });
  assert.deepEqual(Object.keys(sparse.data.data[0].attributes), ['email']);
  const none = await integ.users.query({ ...mine, 'fields.user': 'none', perPage: 1 });
  assert.deepEqual(none.data.data[0].attributes, {});
  assert.equal(none.data.meta.totalItems, 4);
  const full = await integ.users.query({ ...mine, include: ['effectivePermissionSet'] });
  for (const user of full.data.data) {
    const set = included(full, user.relationships.effectivePermissionSet.data);
    assert.equal(set.attributes.read, 'permission/allow');
  }
  const bad = integ.users.query({ prot_age: 'old' });
  await refused(bad, 400, 'validation-invalid-value', ['prot_age']);
  await refused(integ.users.query({ sort: `pub_${mark}` }), 400, 'validation-invalid-value', ['sort']);
});
