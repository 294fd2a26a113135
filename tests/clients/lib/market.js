// Listings and requests that tests begin with.

import { randomUUID } from 'node:crypto';
import { Money, UUID } from './sdk.js';
import { trusted } from './people.js';

/** A word that no other test uses. */
export function word(prefix = 'w') {
  return prefix + randomUUID().replaceAll('-', '').slice(0, 12);
}

/** A published listing of this person; its id. */
export async function publish(person, fields = {}) {
  const created = await person.sdk.ownListings.create({ title: 'City bike', ...fields });
  return created.data.data.id;
}

/** Line items of an agreed price: two days and a fee that only the provider bears. */
export const LINE_ITEMS = [
  { code: 'line-item/day', unitPrice: new Money(2500, 'EUR'), quantity: 2 },
  {
    code: 'line-item/provider-commission',
    unitPrice: new Money(5000, 'EUR'),
    percentage: -10,
    includeFor: ['provider'],
  },
];

/** What `initiate` needs for a `free-request` on this listing. */
export function requestOn(listingId, params = {}) {
  return {
    processAlias: 'free-request/release-1',
    transition: 'transition/request',
    params: { listingId, lineItems: LINE_ITEMS, ...params },
  };
}

/** What `initiate` needs for a `default-inquiry` on this listing. */
export function inquiryOn(listingId, params = {}) {
  return {
    processAlias: 'default-inquiry/release-1',
    transition: 'transition/inquire-without-payment',
    params: { listingId, ...params },
  };
}

/** A requested `free-request` of the customer on the listing; its id. */
export async function ask(stoa, customer, listingId, params = {}) {
  const sdk = await trusted(stoa, customer);
  const made = await sdk.transactions.initiate(requestOn(listingId, params));
  return made.data.data.id;
}

/** An id that nothing has. */
export function unknownId() {
  return new UUID(randomUUID());
}
