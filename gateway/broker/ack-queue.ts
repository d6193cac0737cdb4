// The acknowledgement queue: PUBACKs of one connection in the order of its publishes [MQTT-4.6.0-2].
// It writes many PUBACKs at a time, and limits how many publishes are open.
import type { Duplex } from 'node:stream'

/*
   PUBLISH ─▶ enter ─▶ pending … pending … ready … pending     each becomes ready at any time,
                          ▲                                     and takes its turn after all before it
                         head ──▶ deliver, PUBACK │ another answer
*/

/** The part of a connection that acknowledgements need. */
export interface AckClient {
  readonly conn: Duplex
  readonly closed: boolean
  /** Not null after a DISCONNECT was sent, which is the last packet of a connection [MQTT5-3.14.4]. */
  readonly disconnectReasonCode: number | null
  /** Calls back when the socket has sent what is waiting; closes the client when that takes too long. */
  waitForDrain(done: () => void): void
}

/** One PUBLISH from its arrival until its turn. */
export interface PendingAck {
  /** 0: no PUBACK is written. */
  packetId: number
  readonly bytes: number
  ready: boolean
  onTurn: (() => void) | undefined
}

export interface AckQueue {
  /** `packetId` is 0 for a PUBLISH without acknowledgement. */
  enter(packetId: number, bytes: number): PendingAck
  /** Calls `deliver` in turn, and writes the PUBACK soon after. */
  acknowledge(pending: PendingAck, deliver?: () => void): void
  /** Calls `answer` in turn, after all earlier PUBACKs were written. No PUBACK follows. */
  answer(pending: PendingAck, answer: () => void): void
  /**
   * true: too many publishes are open, or the client does not read its PUBACKs. Read nothing more
   * from the connection until `onRoom`.
   */
  isFull(): boolean
}

/** Payload bytes of the open publishes of all connections. */
export interface OpenBytes {
  bytes: number
  /** When this many bytes are open, each connection may only have `scarceBytes` open. */
  readonly max: number
}

/** A few usual messages: enough for a connection to go on. */
const scarceBytes = 16 * 1024

export interface AckQueueOptions {
  readonly client: AckClient
  readonly maxOpen: number
  readonly maxOpenBytes: number
  /** One for all connections. */
  readonly shared?: OpenBytes
  /** Called soon after a full queue has emptied by half. */
  readonly onRoom: () => void
}

export function createAckQueue({
  client,
  maxOpen,
  maxOpenBytes,
  shared = { bytes: 0, max: Number.POSITIVE_INFINITY },
  onRoom,
}: AckQueueOptions): AckQueue {
  let queue: PendingAck[] = []
  let head = 0
  let bytes = 0
  let due: number[] = []
  let unsent = false
  let full = false

  const mostBytes = () => (shared.bytes >= shared.max ? scarceBytes : maxOpenBytes)

  const makeRoom = () => {
    if (!full || unsent || queue.length - head > maxOpen / 2 || bytes > mostBytes() / 2) return
    full = false
    process.nextTick(onRoom)
  }

  const advance = () => {
    for (let pending = queue[head]; pending?.ready; pending = queue[head]) {
      head++
      bytes -= pending.bytes
      shared.bytes -= pending.bytes
      pending.onTurn?.()
      if (pending.packetId === 0) continue
      if (due.length === 0) flushSoon(flush)
      due.push(pending.packetId)
    }
    if (head === queue.length || head > 4_096) {
      queue = queue.slice(head)
      head = 0
    }
    makeRoom()
  }

  const flush = () => {
    if (due.length === 0) return
    const packets = toPubacks(due)
    due = []
    if (client.closed || client.disconnectReasonCode !== null || client.conn.write(packets)) return
    // The send buffer of the socket is full: write no PUBACKs until it has drained.
    unsent = true
    full = true
    client.waitForDrain(() => {
      unsent = false
      makeRoom()
    })
  }

  const takeTurn = (pending: PendingAck) => {
    pending.ready = true
    if (pending === queue[head]) advance()
  }

  return {
    enter(packetId, size) {
      const pending = { packetId, bytes: size, ready: false, onTurn: undefined }
      queue.push(pending)
      bytes += size
      shared.bytes += size
      full ||= queue.length - head >= maxOpen || bytes >= mostBytes()
      return pending
    },
    acknowledge(pending, deliver) {
      pending.onTurn = deliver
      takeTurn(pending)
    },
    answer(pending, answer) {
      pending.packetId = 0
      pending.onTurn = () => {
        flush()
        answer()
      }
      takeTurn(pending)
    },
    isFull: () => full,
  }
}

/** PUBACKs with reason code 0, which MQTT 5 may leave out and MQTT 3.1.1 does not have [MQTT5-3.4.2.1]. */
export function toPubacks(packetIds: readonly number[]): Buffer {
  const packets = Buffer.allocUnsafe(packetIds.length * 4)
  for (let i = 0; i < packetIds.length; i++) packets.writeUInt32BE(0x40020000 | packetIds[i]!, i * 4)
  return packets
}

let flushes: (() => void)[] = []

/** Flushes after the promises that are settled by now have called back, so one commit batch is one write per socket. */
function flushSoon(flush: () => void): void {
  if (flushes.push(flush) > 1) return
  process.nextTick(() => {
    const all = flushes
    flushes = []
    for (const one of all) one()
  })
}
