/** Bounds on templates and on what they make of parameters. */
export const templateLimits = {
  /** Characters of a template's body or HTML, and of what becomes of it: as many as a batch's own body may have. */
  textCharsMax: 65_536,
  /** Characters of a subject and of what becomes of it: the longest line that mail may carry (RFC 5322, 2.1.1). */
  subjectCharsMax: 998,
  /** Conditions inside one another. */
  nestingMax: 16,
  /** Filters of one output, one after another: there are seven. */
  outputFiltersMax: 16,
  /** Filters of one template, over all its texts; of stored ones some 9,000. One on a short value takes 0.1 µs. */
  filtersMax: 1_000,
  /**
   * Characters that go through filters, through conditions and into the text while one message is rendered: parameters as
   * large as a message may bring, eight times. The worst takes some 15 ms (letters that become three when they are capital).
   */
  workCharsMax: 524_288,
  /** Operators of one condition. */
  operatorsMax: 64,
  /** Different variables of one template. */
  variablesMax: 100,
  /** Characters of a variable's path. */
  variableCharsMax: 100,
  /** Characters of a template's name. */
  nameCharsMax: 64,
  /** Templates of one account. */
  perAccountMax: 500,
  /** Versions of one template. */
  versionsMax: 1_000,
} as const;
