/** A valid JSON record as one line: line feeds in it can only be white space between tokens. */
export function compactRecord(bytes: Uint8Array, start: number, end: number): Buffer {
  const line = Buffer.from(bytes.subarray(start, end));
  for (let at = line.indexOf(lineFeed); at !== -1; at = line.indexOf(lineFeed, at)) line[at] = 0x20;
  return line;
}

const lineFeed = 0x0a;
