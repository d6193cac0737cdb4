// Group commit: every append that arrives while a write is on its way to the disk shares the next one.
//
//   append append append │ append append … append │ append …
//   └── group 1 ────────┘ └── group 2 ──────────┘
//   write and sync ─────▶ write and sync ─────▶         one at a time; no timer, the disk itself sets the pace
import type { Message } from '../message/message.ts'
import { encodeRecord, renumberRecord } from './record.ts'

/** Encoded records end to end, and whom to tell. */
export interface Group {
  buffer: Buffer
  bytes: number
  /** The sequence of its first record; the others follow one by one. */
  first: number
  readonly messages: Message[]
  /** Where the record of the same index ends, from the start of the group. */
  readonly ends: number[]
  /** In the order of the calls [MQTT-4.6.0-2]: one promise for all appends between two refusals, its reactions run in the order of the appends. */
  readonly turns: Turn[]
}

interface Turn {
  readonly done: PromiseWithResolvers<void>
  readonly refusal?: Error
}

export interface GroupCommit {
  /** Encodes the message, which is `sizeLimit` bytes at most, and returns the promise of its group. */
  append(message: Message, sizeLimit: number): Promise<void>
  /** Rejects with the error, but not before every earlier append has settled. */
  refuse(error: Error): Promise<void>
  /** The sequence of the next record. To be called before the first append. */
  startAt(sequence: number): void
  /** Bytes that wait for the disk. */
  pendingBytes(): number
  /** Resolves when nothing waits any more. */
  idle(): Promise<void>
}

const usualBytes = 512 * 1024

/** `commit` resolves when the group is on disk. It is never called again before it has settled. */
export function createGroupCommit(salt: number, commit: (group: Group) => Promise<void>): GroupCommit {
  let spare: Buffer = Buffer.allocUnsafe(usualBytes)
  let filling = createGroup(Buffer.allocUnsafe(usualBytes), 1)
  let writing: Group | undefined
  let running: Promise<void> | undefined

  const run = async () => {
    // Everything that came in during this turn of the event loop, from whatever socket, belongs to the first group.
    await new Promise((resolve) => setImmediate(resolve))
    while (filling.messages.length > 0) {
      const group = filling
      writing = group
      filling = createGroup(spare, group.first + group.messages.length)
      const failure = await commit(group).then(
        () => undefined,
        (error) => error,
      )
      writing = undefined
      // The sequences of records that were refused are used again: a gap on the disk always means a loss.
      if (failure) renumber(filling, group.first, salt)
      for (const { done, refusal } of group.turns) {
        if (refusal ?? failure) done.reject(refusal ?? failure)
        else done.resolve()
      }
      spare = group.buffer.length > 8 * usualBytes ? Buffer.allocUnsafe(usualBytes) : group.buffer
    }
    running = undefined
  }

  return {
    append(message, sizeLimit) {
      const group = filling
      if (group.bytes + sizeLimit > group.buffer.length) grow(group, sizeLimit)
      group.bytes += encodeRecord(group.buffer, group.bytes, message, salt, group.first + group.messages.length)
      group.messages.push(message)
      group.ends.push(group.bytes)
      running ??= run()
      return turnOf(group).done.promise
    },
    refuse(error) {
      const elder = filling.messages.length > 0 ? filling : writing
      if (!elder) return Promise.reject(error)
      const turn = { done: Promise.withResolvers<void>(), refusal: error }
      elder.turns.push(turn)
      return turn.done.promise
    },
    startAt(sequence) {
      filling.first = sequence
    },
    pendingBytes: () => filling.bytes + (writing?.bytes ?? 0),
    idle: () => running ?? Promise.resolve(),
  }
}

function createGroup(buffer: Buffer, first: number): Group {
  return { buffer, bytes: 0, first, messages: [], ends: [], turns: [] }
}

function renumber(group: Group, first: number, salt: number): void {
  group.first = first
  let at = 0
  for (const [i, end] of group.ends.entries()) {
    renumberRecord(group.buffer, at, end - at, salt, first + i)
    at = end
  }
}

function turnOf({ turns }: Group): Turn {
  const last = turns.at(-1)
  if (last && !last.refusal) return last
  const turn = { done: Promise.withResolvers<void>() }
  turns.push(turn)
  return turn
}

function grow(group: Group, needed: number): void {
  const larger = Buffer.allocUnsafe(Math.max(group.buffer.length * 2, group.bytes + needed))
  group.buffer.copy(larger, 0, 0, group.bytes)
  group.buffer = larger
}
