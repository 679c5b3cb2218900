/** Bounds on templates and on what they make of parameters. */
export const templateLimits = {
  /** Characters of a template's body or HTML, and of what becomes of it: as many as a batch's own body may have. */
  textCharsMax: 65_536,
  /** Characters of a subject and of what becomes of it: the longest line that mail may carry (RFC 5322, 2.1.1). */
  subjectCharsMax: 998,
  /** Conditions inside one another. */
  nestingMax: 16,
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
