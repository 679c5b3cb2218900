/** A valid JSON record as one line, in memory of its own: line feeds in it can only be white space between tokens. */
export function compactRecord(record: Uint8Array): Buffer {
  const line = Buffer.from(record);
  for (let at = line.indexOf(lineFeed); at !== -1; at = line.indexOf(lineFeed, at)) line[at] = 0x20;
  return line;
}

const lineFeed = 0x0a;
