// What tests say about answers.

import assert from 'node:assert/strict';
import { UUID, Money, LatLng, BigDecimal } from './sdk.js';

/**
 * The call is refused with this status, and with this code and path when they are given.
 *
 * @param {Promise<any>} call an SDK call, or an answer of `request`
 * @returns {Promise<object>} the first error object
 */
export async function refused(call, status, code, path) {
  let seen;
  try {
    seen = await call;
  } catch (error) {
    if (error.status === undefined) throw error;
    seen = error;
  }
  const errors = (seen.data ?? seen.body)?.errors;
  assert.equal(seen.status, status, `status; the answer was ${JSON.stringify(seen.data ?? seen.body)}`);
  assert.ok(Array.isArray(errors) && errors.length > 0, 'a refusal has errors');
  for (const error of errors) {
    assert.equal(error.status, status, 'status in the body');
    assert.ok(error.id && error.title, 'an error has id and title');
  }
  if (code) assert.equal(errors[0].code, code);
  if (path) assert.deepEqual(errors[0].source?.path, path);
  return errors[0];
}

/** The value as the JSON format shows it, so that the three formats can be compared. */
export function plain(value) {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof UUID || value._sdkType === 'UUID') return value.uuid;
  if (value instanceof Money || value._sdkType === 'Money') {
    return { amount: value.amount, currency: value.currency };
  }
  if (value instanceof LatLng || value._sdkType === 'LatLng') return { lat: value.lat, lng: value.lng };
  if (value instanceof BigDecimal || value._sdkType === 'BigDecimal') return Number(value.value);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
}

/** Ids of the resources of an answer, as texts, in their order. */
export function ids(answer) {
  return (answer.data?.data ?? answer.body.data).map(resource => resource.id.uuid ?? resource.id);
}

/** The included resource that a reference names. */
export function included(answer, reference) {
  const { id, type } = reference;
  const text = id.uuid ?? id;
  const all = (answer.body ?? answer.data).included ?? [];
  const found = all.filter(r => r.type === type && (r.id.uuid ?? r.id) === text);
  assert.equal(found.length, 1, `${type} ${text} is included exactly once`);
  return found[0];
}

/** The resource that the relationship `name` of the primary resource names. */
export function related(answer, name) {
  const { data } = (answer.body ?? answer.data).data.relationships[name];
  return included(answer, data);
}
