// Puts the pieces of one packet together until there is enough to look at: a device that sends byte by byte costs a copy of each, and no search through all.

export interface Gather {
  /** What was read, behind what waits for it; undefined while there is less than wanted. The bytes are the caller's. */
  add(read: Buffer): Buffer | undefined
  /** Begins with bytes that were read and not used. Nothing is given back before `wanted` bytes are here. */
  begin(rest: Buffer, wanted: number): void
}

export const nothing: Buffer = Buffer.alloc(0)

export function createGather(): Gather {
  let pieces: Buffer = nothing
  let length = 0
  let wanted = 0

  const append = (read: Buffer) => {
    if (length + read.length > pieces.length) {
      const larger = Buffer.allocUnsafe(Math.max(length + read.length, 2 * length))
      pieces.copy(larger, 0, 0, length)
      pieces = larger
    }
    length += read.copy(pieces, length)
  }

  const begin: Gather['begin'] = (rest, enough) => {
    pieces = rest // no longer than it is, so nothing is written behind it
    length = rest.length
    wanted = enough
  }

  return {
    begin,
    add(read) {
      if (length === 0 && read.length >= wanted) {
        wanted = 0
        return read
      }
      append(read)
      if (length < wanted) return undefined
      const whole = pieces.subarray(0, length)
      begin(nothing, 0)
      return whole
    },
  }
}
