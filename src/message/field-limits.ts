/** Bounds on the fields of one message, beyond the bytes of its line. */
export const fieldLimits = {
  /** Bytes of a recipient: long enough for the URL of a webhook. */
  toBytesMax: 2_048,
  /** Bytes of an e-mail address and of its part before the `@` (RFC 5321, 4.5.3.1). */
  emailBytesMax: 254,
  emailLocalBytesMax: 64,
  /** Digits of a telephone number: E.164 allows 15; nobody has fewer than 7 with the country code. */
  phoneDigitsMin: 7,
  phoneDigitsMax: 15,
  /** Characters of a sender: a name and an e-mail address. */
  fromCharsMax: 512,
  /** Characters of the sender's own reference. */
  refCharsMax: 255,
  /** Characters of an ordering key. */
  orderingKeyCharsMax: 255,
  /** Characters of a subject: the longest line that mail may carry (RFC 5322, 2.1.1). */
  subjectCharsMax: 998,
  tagsMax: 20,
  tagCharsMax: 100,
  headersMax: 50,
  /** Characters of one header's name and value together (RFC 5322, 2.1.1). */
  headerCharsMax: 998,
  /** Characters of a route's name. */
  routeCharsMax: 100,
} as const;
