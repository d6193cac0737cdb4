// Finds segments whose file holds the records of another one: copied or renamed by a person, or mixed up by a disk.
//
// Sequences grow from record to record and from segment to segment. A file is foreign if the cursor expects another sequence at an
// offset, or if its first sequence does not fit between those of its neighbours.

import { sequenceOf } from './codec.ts'
import { isUnreadable, type SpoolFile, type SpoolFs } from './fs.ts'
import { headerBytes, readChunk, readHeader } from './segment.ts'

export interface Candidate {
  readonly number: number
  readonly path: string
  /** What the cursor expects: offset to sequence. Sequence 0 is unknown. */
  readonly expected: ReadonlyMap<number, number>
}

/** `candidates` are in the order of their numbers. Files that cannot be read are not judged. */
export async function findForeign(fs: SpoolFs, candidates: readonly Candidate[]): Promise<ReadonlySet<number>> {
  const foreign = new Set<number>()
  const firsts: { readonly number: number; readonly first: number }[] = []
  for (const candidate of candidates) {
    const found = await look(fs, candidate)
    if (found === 'foreign') foreign.add(candidate.number)
    else if (found !== undefined) firsts.push({ number: candidate.number, first: found })
  }
  const ordered = new Set(longestAscending(firsts.map(({ first }) => first)))
  for (const [index, { number }] of firsts.entries()) if (!ordered.has(index)) foreign.add(number)
  return foreign
}

/** The first sequence in the file; undefined: it has none. */
async function look(fs: SpoolFs, { path, expected }: Candidate): Promise<number | 'foreign' | undefined> {
  try {
    const file = await fs.open(path, 'r')
    try {
      const salt = await readHeader(file)
      if (salt === undefined) return undefined
      const size = await file.size()
      const offset = [...expected.keys()].reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
      const listed = await sequenceAt(file, salt, offset, size)
      if (listed !== undefined && expected.get(offset) && listed !== expected.get(offset)) return 'foreign'
      return await sequenceAt(file, salt, headerBytes, size)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return undefined
  }
}

/** The sequence of the record that begins at `offset`; undefined: none begins there, or it is of version 0.1. */
async function sequenceAt(file: SpoolFile, salt: number, offset: number, size: number): Promise<number | undefined> {
  let sequence: number | undefined
  if (offset >= size) return undefined
  await readChunk(file, salt, offset, size, (buffer, at, _length, where) => {
    if (where === offset) sequence = sequenceOf(buffer, at)
  })
  return sequence
}

/** The indexes of a longest strictly ascending subsequence; of equal values the earliest counts. */
function longestAscending(values: readonly number[]): readonly number[] {
  /** By length less one: the index of the smallest value that ends such a subsequence. */
  const ends: number[] = []
  const before: (number | undefined)[] = []
  for (const [index, value] of values.entries()) {
    const longer = ends.findIndex((end) => values[end]! >= value)
    const length = longer === -1 ? ends.length : longer
    before.push(length === 0 ? undefined : ends[length - 1])
    if (longer === -1 || values[ends[length]!]! > value) ends[length] = index
  }
  const found: number[] = []
  for (let at = ends.at(-1); at !== undefined; at = before[at]) found.unshift(at)
  return found
}
