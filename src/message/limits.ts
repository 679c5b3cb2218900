/** Bounds that more than one folder relies on. A limit of one folder lives there. */
export const limits = {
  /** Messages in one chunk: the offset in a message id has 10 bits. */
  chunkMessagesMax: 1_000,
  /** Bytes of records in one slot. */
  slotBytesMax: 1_048_576,
  /** Bytes of one line, one CSV record or one array element. */
  lineBytesMax: 65_536,
  /** Nesting of objects and arrays in a message. */
  nestingMax: 32,
  /** Logical shards; the shard in a message id has 10 bits. */
  shards: 1_024,
  /**
   * Lines whose slots share one shard and one transaction. Slots never cross a multiple of it, so that a
   * line belongs to the same shard however an upload is cut.
   */
  runLines: 16_000,
  /** Shards on which the messages with ordering keys of one account lie: an upload makes a chunk a run on each. */
  orderingShards: 16,
  /**
   * Unfinished messages with ordering keys of one account and shard that an owner keeps in memory, some 10 MB at most;
   * a chunk counts so many more. Those behind them are not known, and not sent.
   */
  orderedWeightMax: 200_000,
  orderedChunkWeight: 20,
  /** The same of all accounts and shards of a worker, some 50 MB. */
  orderedTotalMax: 1_000_000,
  /** What each account and shard may have even then: the backlogs of some accounts must not hide the next customer. */
  orderedWeightLeast: 20_000,
  /** Chunks of fewer messages are looked up by hashed rows instead of a Bloom filter. */
  filterMessagesMin: 64,
  /** Recipients of one message of MessageBird's classic API, which is one chunk. */
  classicRecipientsMax: 50,
  /** Rejections that an upload's answer lists; all of them can be read back. */
  errorsListedMax: 100,
} as const;
