/**
 * Where transactions are counted anew, the numbers of the change feed go on at the next multiple of this: above every number
 * that a cluster gives to transactions before it is replaced, 1.1 million million.
 */
export const countsApart = 1n << 40n;
