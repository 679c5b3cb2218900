/** Requests at once, of a route or to one of its destinations. */
export const concurrencyMax = 1_000;
export const ratePerSecondMax = 1_000_000;
