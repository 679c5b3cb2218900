/** For a route of the connector `webhook`, which has no provider to try: each of its endpoints answers for itself. */
export const endpointAdvice =
  'With a key of the account: millrace webhook list tells which endpoints fail, and since when; ' +
  'millrace message find --to NAME (or URL), then millrace message show ID, what they answer';
