/** Of the wait for a first attempt, in seconds: from a password reset to a flood of hours. */
export const firstAttemptBounds = [
  0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400,
] as const;
