// Search, paging and sparse answers. Every test has its own author or word, so that
// the listings of others are never in its results.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startStoa } from '../lib/server.js';
import { startRecorder } from '../lib/recorder.js';
import { SOON_MS, eventually } from '../lib/eventually.js';
import { LatLng, LatLngBounds, Money, integrationSdk, marketplaceSdk } from '../lib/sdk.js';
import { Operator, accessToken, signUp } from '../lib/people.js';
import { publish, unknownId, word } from '../lib/market.js';
import { ids, refused } from '../lib/expect.js';
import { anonymousToken, request } from '../lib/raw.js';

let stoa;
let operator;
let visitor;
let integ;

before(async () => {
  stoa = await startStoa();
  operator = await Operator.signIn(stoa);
  visitor = marketplaceSdk(stoa);
  integ = integrationSdk(stoa);
  for (const [key, type, more] of [
    ['condition', 'enum'],
    ['accessories', 'multi-enum'],
    ['gears', 'long'],
    ['rating', 'long'],
    ['length', 'long'],
    ['note', 'text'],
    ['isPromoted', 'boolean', { scope: 'metadata', default: false }],
  ]) {
    await operator.searchable(key, type, more);
  }
});

/**
 * A market of one new author.
 *
 * @param {Record<string, object>} listings fields of each listing by the name that tests use
 */
async function market(listings) {
  const author = await signUp(stoa);
  const names = new Map();
  for (const [name, fields] of Object.entries(listings)) {
    const id = await publish(author, fields);
    names.set(id.uuid, name);
  }
  const authorId = author.id.uuid;
  await eventually('the new listings are in the search', async () => {
    const found = await visitor.listings.query({ authorId });
    return found.data.meta.totalItems === names.size;
  });
  const named = answer => ids(answer).map(id => names.get(id) ?? id);
  return {
    author,
    authorId,
    idOf: name => [...names].find(([, other]) => other === name)[0],
    /** Names of what the query finds, in the order of the answer. */
    find: async params => named(await visitor.listings.query({ authorId, ...params })),
    /** The same sorted, where the order is not what the test is about. */
    findSet: async params => named(await visitor.listings.query({ authorId, ...params })).sort(),
    named,
  };
}

const eur = amount => ({ price: new Money(amount, 'EUR') });

// contract: search S1, S2, S3, S4
test('a price range includes its start and excludes its end, whatever the currency', async () => {
  const { findSet } = await market({
    a: eur(1999),
    b: eur(2000),
    c: eur(9999),
    d: eur(10000),
    dollars: { price: new Money(2000, 'USD') },
    none: {},
  });
  assert.deepEqual(await findSet({ price: [2000, 10000] }), ['b', 'c', 'dollars']);
  assert.deepEqual(await findSet({ price: 2000 }), ['b', 'dollars']);
  assert.deepEqual(await findSet({ price: ',2000' }), ['a']);
  assert.deepEqual(await findSet({ price: '2000,' }), ['b', 'c', 'd', 'dollars']);
  assert.deepEqual(await findSet({ price: '10000,2000' }), []);
  await refused(visitor.listings.query({ price: '1,2,3' }), 400, 'validation-invalid-value', ['price']);
  await refused(visitor.listings.query({ price: 'cheap' }), 400, 'validation-invalid-value', ['price']);
});

// contract: search S5
test('an enum is matched by any of the given values', async () => {
  const { findSet } = await market({
    fresh: { publicData: { condition: 'new' } },
    old: { publicData: { condition: 'used' } },
    none: {},
  });
  assert.deepEqual(await findSet({ pub_condition: ['new', 'used'] }), ['fresh', 'old']);
  assert.deepEqual(await findSet({ pub_condition: 'used' }), ['old']);
  assert.deepEqual(await findSet({ pub_condition: 'Used' }), []);
});

// contract: search S6, S7
test('a multi-enum asks for all values, or for any', async () => {
  const { findSet } = await market({
    bell: { publicData: { accessories: ['bell'] } },
    both: { publicData: { accessories: ['bell', 'lights'] } },
    text: { publicData: { accessories: 'bell' } },
  });
  assert.deepEqual(await findSet({ pub_accessories: 'bell,lights' }), ['both']);
  assert.deepEqual(await findSet({ pub_accessories: 'has_all:bell,lights' }), ['both']);
  assert.deepEqual(await findSet({ pub_accessories: 'has_any:bell,lights' }), ['bell', 'both']);
});

// contract: search S8
test('a listing without the key has the default of the schema', async () => {
  const { find, findSet, idOf } = await market({ plain: {}, promoted: {} });
  await integ.listings.update({ id: idOf('promoted'), metadata: { isPromoted: true } });
  await eventually('the change is in the search', async () => {
    return (await find({ meta_isPromoted: true })).length === 1;
  });
  assert.deepEqual(await findSet({ meta_isPromoted: true }), ['promoted']);
  assert.deepEqual(await findSet({ meta_isPromoted: false }), ['plain']);
});

// contract: search S9, S48
test('a number that was stored as text is not a number, and the key length is like any other', async () => {
  const { findSet } = await market({
    text: { publicData: { gears: '5' } },
    number: { publicData: { gears: 5, length: 10 } },
  });
  assert.deepEqual(await findSet({ pub_gears: 5 }), ['number']);
  assert.deepEqual(await findSet({ pub_gears: ',6' }), ['number']);
  assert.deepEqual(await findSet({ pub_length: 10 }), ['number']);
});

// contract: search S10, S40
test('a filter without schema and any foreign parameter are ignored', async () => {
  const { findSet } = await market({ a: {}, b: {} });
  assert.deepEqual(await findSet({ pub_foo: 'x', utm_source: 'x' }), ['a', 'b']);
});

// contract: search S11
test('a schema has a top-level key only', async () => {
  const schema = { key: 'a.b', scope: 'public', schemaType: 'enum', schemaFor: 'listing' };
  await refused(operator.post('search_schemas/set', schema), 400, 'validation-invalid-value', ['key']);
});

// contract: search S12
test('keywords find the beginning and the end of a word, not its middle', async () => {
  const { find } = await market({ local: { title: 'Local bike' } });
  assert.deepEqual(await find({ keywords: 'loc' }), ['local']);
  assert.deepEqual(await find({ keywords: 'ocal' }), ['local']);
  assert.deepEqual(await find({ keywords: 'cal' }), ['local']);
  assert.deepEqual(await find({ keywords: 'oca' }), []);
  assert.deepEqual(await find({ keywords: 'LOCAL' }), ['local']);
});

// contract: search S13
test('a whole word outweighs a part, a title outweighs a description', async () => {
  const { find } = await market({
    part: { title: 'bikers' },
    text: { title: 'x', publicData: { note: 'bike' } },
    description: { title: 'x', description: 'bike' },
    title: { title: 'bike' },
  });
  assert.deepEqual(await find({ keywords: 'bike' }), ['title', 'description', 'text', 'part']);
});

// contract: search S14
test('keywords match when any of them does', async () => {
  const { findSet } = await market({
    shop: { title: 'local shop' },
    fun: { title: 'attractions' },
    none: { title: 'nothing' },
  });
  assert.deepEqual(await findSet({ keywords: 'local attractions' }), ['fun', 'shop']);
});

// contract: search S15
test('keywords and origin exclude each other', async () => {
  const call = visitor.listings.query({ keywords: 'x', origin: new LatLng(60, 25) });
  await refused(call, 400, 'validation-invalid-params');
});

// contract: search S16
test('an origin sorts by distance and filters nothing', async () => {
  const at = lat => ({ geolocation: new LatLng(lat, 25) });
  const { find } = await market({ three: at(60.027), one: at(60.009), five: at(60.045) });
  assert.deepEqual(await find({ origin: new LatLng(60, 25) }), ['one', 'three', 'five']);
});

// contract: search S17
test('bounds limit a keyword search and leave its order', async () => {
  const at = (lat, lng, title) => ({ title, geolocation: new LatLng(lat, lng) });
  const { find } = await market({
    part: at(60.2, 24.9, 'bikers'),
    outside: at(50, 24.9, 'bike'),
    whole: at(60.1, 24.9, 'bike'),
    nowhere: { title: 'bike' },
  });
  const bounds = new LatLngBounds(new LatLng(61, 26), new LatLng(59, 24));
  assert.deepEqual(await find({ keywords: 'bike', bounds }), ['whole', 'part']);
});

// contract: search S18
test('bounds over the antimeridian hold both sides', async () => {
  const at = lng => ({ geolocation: new LatLng(0, lng) });
  const { findSet } = await market({ east: at(179), west: at(-179), far: at(0) });
  const bounds = new LatLngBounds(new LatLng(1, -178), new LatLng(-1, 178));
  assert.deepEqual(await findSet({ bounds }), ['east', 'west']);
});

// contract: search S19, S20
test('a bare sort key goes down, a minus goes up, and no key is newest first', async () => {
  const { find } = await market({ low: eur(1), high: eur(3), none: {}, middle: eur(2) });
  assert.deepEqual(await find({ sort: 'price' }), ['high', 'middle', 'low', 'none']);
  assert.deepEqual(await find({ sort: '-price' }), ['low', 'middle', 'high', 'none']);
  assert.deepEqual(await find({}), ['middle', 'none', 'high', 'low']);
  assert.deepEqual(await find({ sort: '-createdAt' }), ['low', 'high', 'none', 'middle']);
});

// contract: search S21
test('a search is sorted by three keys at most, and only by keys that can be', async () => {
  const four = visitor.listings.query({ sort: 'price,createdAt,pub_gears,pub_rating' });
  await refused(four, 400, 'validation-invalid-value', ['sort']);
  for (const sort of ['title', 'pub_condition', 'pub_unknown']) {
    await refused(visitor.listings.query({ sort }), 400, 'validation-invalid-value', ['sort']);
  }
});

// contract: search S22
test('a second sort key decides among equals', async () => {
  const rated = (rating, amount) => ({ publicData: { rating }, ...eur(amount) });
  const { find } = await market({ a: rated(2, 1), b: rated(1, 1), c: rated(1, 5) });
  assert.deepEqual(await find({ sort: '-pub_rating,price' }), ['c', 'b', 'a']);
});

// contract: search S32
test('a page and its size have limits', async () => {
  for (const [params, path] of [
    [{ perPage: 101 }, 'perPage'],
    [{ perPage: 0 }, 'perPage'],
    [{ page: 0 }, 'page'],
    [{ page: 'x' }, 'page'],
  ]) {
    await refused(visitor.listings.query(params), 400, 'validation-invalid-value', [path]);
  }
});

// contract: search S33, wire W14
test('pages tell totals, and a page past the end is empty', async () => {
  const thirty = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`n${n}`, {}]));
  const { authorId } = await market(thirty);
  const second = await visitor.listings.query({ authorId, perPage: 24, page: 2 });
  assert.equal(second.data.data.length, 6);
  assert.deepEqual(second.data.meta, { totalItems: 30, totalPages: 2, page: 2, perPage: 24 });
  const beyond = await visitor.listings.query({ authorId, perPage: 24, page: 9 });
  assert.deepEqual(beyond.data.data, []);
  assert.deepEqual(beyond.data.meta, { totalItems: 30, totalPages: 2, page: 9, perPage: 24 });
  const all = await visitor.listings.query({ authorId });
  assert.equal(all.data.meta.perPage, 100);
  const pages = await Promise.all([1, 2, 3].map(page => visitor.listings.query({ authorId, perPage: 10, page })));
  assert.deepEqual(pages.flatMap(ids), ids(all), 'pages are stable');
});

// contract: search S34
test('an author is asked for in both spellings', async () => {
  const { authorId } = await market({ a: {} });
  const camel = await visitor.listings.query({ authorId });
  const snake = await visitor.listings.query({ author_id: authorId });
  assert.deepEqual(ids(snake), ids(camel));
  assert.equal(snake.data.meta.totalItems, 1);
});

// contract: search S35, S36
test('ids choose what is published, one hundred at most', async () => {
  const { author, idOf } = await market({ a: {}, b: {} });
  const draft = await author.sdk.ownListings.createDraft({ title: 'x' });
  const asked = [idOf('a'), idOf('b'), draft.data.data.id.uuid, unknownId().uuid];
  assert.deepEqual(ids(await visitor.listings.query({ ids: asked })).sort(), asked.slice(0, 2).sort());
  const many = Array.from({ length: 101 }, () => unknownId());
  await refused(visitor.listings.query({ ids: many }), 400, 'validation-invalid-value', ['ids']);
  assert.deepEqual(ids(await visitor.listings.query({ ids: [] })), []);
});

// contract: search S37
test('an author sees own listings in every state, or in the states asked for', async () => {
  const author = await signUp(stoa);
  const { sdk } = author;
  await publish(author, { title: 'on the market' });
  await sdk.ownListings.createDraft({ title: 'draft' });
  const closed = await publish(author, { title: 'closed' });
  await sdk.ownListings.close({ id: closed });
  await integ.listings.create({ title: 'waits', authorId: author.id.uuid, state: 'pendingApproval' });
  assert.equal((await sdk.ownListings.query()).data.meta.totalItems, 4);
  const published = await sdk.ownListings.query({ states: 'published', page: 1, perPage: 1 });
  assert.deepEqual(published.data.data.map(l => l.attributes.title), ['on the market']);
  await refused(sdk.ownListings.query({ states: 'lost' }), 400, 'validation-invalid-value', ['states']);
});

// contract: search S38, integration I6
test('the Integration API finds drafts with their private data', async () => {
  const author = await signUp(stoa);
  await author.sdk.ownListings.createDraft({ title: 'x', privateData: { secret: 1 } });
  const found = await eventually('the draft is in the search', async () => {
    const answer = await integ.listings.query({ states: ['draft'], authorId: author.id.uuid });
    return answer.data.data.length === 1 && answer;
  });
  assert.equal(found.data.data[0].type, 'listing');
  assert.deepEqual(found.data.data[0].attributes.privateData, { secret: 1 });
});

// contract: search S39
test('no fields leave id and type', async () => {
  const { authorId } = await market({ a: {}, b: {} });
  const found = await visitor.listings.query({ authorId, 'fields.listing': 'none', perPage: 1 });
  assert.equal(found.data.meta.totalItems, 2);
  assert.equal(found.data.data.length, 1);
  assert.deepEqual(found.data.data[0].attributes, {});
});

// contract: search S41
test('the SDK may give parameters as texts and objects', async () => {
  const { authorId, named } = await market({
    fits: { ...eur(500), publicData: { gears: 3 } },
    dear: { ...eur(5000), publicData: { gears: 3 } },
    many: { ...eur(500), publicData: { gears: 30 } },
  });
  const found = await visitor.listings.query(['price=100,1000', { pub_gears: ',23', authorId }, 'perPage=10']);
  assert.deepEqual(named(found), ['fits']);
  assert.equal(found.data.meta.perPage, 10);
});

// contract: search S44
test('a schema that comes later finds what is there already', async () => {
  const key = word('late');
  const { findSet, find } = await market({ a: { publicData: { [key]: 'x' } }, b: {} });
  assert.deepEqual(await findSet({ [`pub_${key}`]: 'x' }), ['a', 'b'], 'ignored without a schema');
  await operator.searchable(key, 'enum');
  await eventually('the schema has taken effect', async () => (await find({ [`pub_${key}`]: 'x' })).length === 1);
  assert.deepEqual(await find({ [`pub_${key}`]: 'x' }), ['a']);

  const known = await operator.get('search_schemas/query?schemaFor=listing');
  assert.ok(known.body.data.some(schema => schema.attributes.key === key));
  await operator.does('search_schemas/unset', { key, scope: 'public', schemaFor: 'listing' });
  await eventually('the schema is gone', async () => (await find({ [`pub_${key}`]: 'x' })).length === 2);
});

// contract: search S45
test('a time range includes its start and excludes its end', async () => {
  const { find, authorId } = await market({ a: {} });
  const found = await visitor.listings.query({ authorId });
  const { createdAt } = found.data.data[0].attributes;
  assert.deepEqual(await find({ createdAtStart: createdAt }), ['a']);
  assert.deepEqual(await find({ createdAtEnd: createdAt }), []);
});

// contract: search S47
test('a change is in the search within a second', async () => {
  const { author, find, idOf } = await market({ a: { title: 'First' } });
  const title = word();
  await author.sdk.ownListings.update({ id: idOf('a'), title });
  await eventually('the new title is found', async () => (await find({ keywords: title })).length === 1, SOON_MS);
  await author.sdk.ownListings.close({ id: idOf('a') });
  await eventually('the closed listing is gone', async () => (await find({})).length === 0, SOON_MS);
  const created = await publish(author);
  await eventually(
    'the new listing is there',
    async () => (await visitor.listings.query({ ids: [created] })).data.data.length === 1,
    SOON_MS
  );
});

test('an author reads own writes at once', async () => {
  const { sdk } = await signUp(stoa);
  for (let n = 1; n <= 5; n += 1) {
    const created = await sdk.ownListings.createDraft({ title: `Draft ${n}` });
    assert.equal((await sdk.ownListings.query()).data.meta.totalItems, 1);
    await sdk.ownListings.discardDraft({ id: created.data.data.id });
    assert.equal((await sdk.ownListings.query()).data.meta.totalItems, 0);
  }
});

// contract: wire W17
test('the query of the web template’s search page works, with every parameter of it', async () => {
  const author = await signUp(stoa);
  const id = await publish(author, {
    title: 'a b&c=d/é+',
    geolocation: new LatLng(60.5, 24.5),
    publicData: { category: 'a' },
    ...eur(1500),
  });
  const recorder = await startRecorder(stoa);
  const sdk = marketplaceSdk(stoa, { baseUrl: recorder.baseUrl });
  const params = {
    bounds: new LatLngBounds(new LatLng(61, 25), new LatLng(60, 24)),
    include: ['author', 'images'],
    'fields.listing': 'title,geolocation,price,deleted,state,publicData.listingType',
    'fields.user': 'profile.displayName,profile.abbreviatedName',
    'fields.image': ['variants.landscape-crop', 'variants.landscape-crop2x'],
    'imageVariant.landscape-crop': 'w:400;h:300;fit:crop',
    'limit.images': 1,
    price: '1000,2000',
    pub_category: 'has_any:a,b',
    minStock: 1,
    stockMode: 'match-undefined',
    keywords: 'a b&c=d/é+',
    ids: [id],
    perPage: 24,
    page: 1,
    sort: '-createdAt',
    ok: true,
  };
  const found = await eventually('the listing is in the search', async () => {
    const answer = await sdk.listings.query(params);
    return answer.data.data.length === 1 && answer;
  });
  assert.deepEqual(ids(found), [id.uuid]);
  const { attributes, relationships } = found.data.data[0];
  assert.deepEqual(Object.keys(attributes).sort(), [
    'deleted',
    'geolocation',
    'price',
    'publicData',
    'state',
    'title',
  ]);
  assert.deepEqual(relationships.images, { data: [] });
  assert.deepEqual(found.data.included[0].attributes, {
    profile: { displayName: 'Olli F', abbreviatedName: 'OF' },
  });
  const { query } = recorder.to('/v1/api/listings/query')[0];
  assert.ok(query.includes('bounds=61,25,60,24'));
  assert.ok(query.includes('keywords=a%20b%26c%3Dd%2F%C3%A9%2B'));
  assert.ok(query.includes('pub_category=has_any%3Aa,b'));
  const alias = await sdk.listings.search(params);
  assert.deepEqual(ids(alias), ids(found));
});

test('a comma may come encoded, a space as plus', async () => {
  const { authorId } = await market({ a: { title: 'Green bike', ...eur(5) }, b: eur(50) });
  const answer = await request(
    stoa,
    `/v1/api/listings/query?author_id=${authorId}&price=1%2C10&keywords=green+boat`,
    { token: await anonymousToken(stoa) }
  );
  assert.equal(answer.status, 200);
  assert.equal(answer.body.meta.totalItems, 1);
});

test('search schemas are the operator’s', async () => {
  const person = await signUp(stoa);
  const body = { key: 'mine', scope: 'public', schemaType: 'enum', schemaFor: 'listing' };
  const answer = await request(stoa, '/v1/operator_api/search_schemas/set', {
    token: accessToken(person),
    json: body,
  });
  await refused(answer, 403, 'forbidden');
  for (const wrong of [{ schemaType: 'number' }, { scope: 'secret' }, { schemaFor: 'image' }]) {
    await refused(operator.post('search_schemas/set', { ...body, ...wrong }), 400, 'validation-invalid-value');
  }
});
