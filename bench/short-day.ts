/** The ordinary day of a short run: making fifty accounts takes longer than all else that it does. */
export const shortDay = { accounts: 5, messagesPerSecond: 60 } as const;
