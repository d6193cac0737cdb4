// The publishes of one connection: acknowledged in the order they came [MQTT-4.6.0-2], many PUBACKs to a write, and only so many open at a time.
import type { Duplex } from 'node:stream'

/*
   PUBLISH ─▶ enter ─▶ waiting … waiting … settled … waiting        each settles when it may,
                          ▲                                          and takes effect when all before it have
                         head ──▶ PUBACK, or what else became of it
*/

/** The side of a client that acknowledgements need. */
export interface LineClient {
  readonly conn: Duplex
  readonly closed: boolean
  /** Not null after a DISCONNECT was sent, which is the last packet of a connection [MQTT5-3.14.4]. */
  readonly disconnectReasonCode: number | null
  /** Calls back when the socket has sent what is waiting; closes the client when that takes too long. */
  waitForDrain(done: () => void): void
}

/** One PUBLISH from its arrival until its turn has come. */
export interface Turn {
  /** 0: nothing to acknowledge. */
  readonly packetId: number
  readonly bytes: number
  settled: boolean
  /** Instead of a PUBACK. */
  otherwise: (() => void) | undefined
}

export interface Line {
  enter(packetId: number, bytes: number): Turn
  /** Writes its PUBACK when its turn comes. */
  acknowledge(turn: Turn): void
  /** Calls back when its turn comes; PUBACKs that are due before it have been written then. */
  settle(turn: Turn, otherwise: () => void): void
  /** true: too much is open, or its PUBACKs are not read; nothing more should be read from the connection until `onRoom`. */
  isFull(): boolean
}

/** Payload bytes of the open publishes of all connections. */
export interface OpenBytes {
  bytes: number
  /** From here on, each connection may only have `scarceBytes` open. */
  readonly max: number
}

/** A few usual messages: enough for a connection to go on. */
const scarceBytes = 16 * 1024

export interface LineOptions {
  readonly client: LineClient
  readonly maxOpen: number
  readonly maxOpenBytes: number
  /** One for all connections. */
  readonly shared?: OpenBytes
  /** Called soon after a full line has emptied by half. */
  readonly onRoom: () => void
}

export function createLine({
  client,
  maxOpen,
  maxOpenBytes,
  shared = { bytes: 0, max: Number.POSITIVE_INFINITY },
  onRoom,
}: LineOptions): Line {
  let turns: Turn[] = []
  let head = 0
  let bytes = 0
  let due: number[] = []
  let unsent = false
  let full = false

  const mostBytes = () => (shared.bytes >= shared.max ? scarceBytes : maxOpenBytes)

  const makeRoom = () => {
    if (!full || unsent || turns.length - head > maxOpen / 2 || bytes > mostBytes() / 2) return
    full = false
    process.nextTick(onRoom)
  }

  const advance = () => {
    for (let turn = turns[head]; turn?.settled; turn = turns[head]) {
      head++
      bytes -= turn.bytes
      shared.bytes -= turn.bytes
      if (turn.otherwise) {
        flush()
        turn.otherwise()
      } else if (turn.packetId !== 0) {
        if (due.length === 0) flushSoon(flush)
        due.push(turn.packetId)
      }
    }
    if (head === turns.length || head > 4_096) {
      turns = turns.slice(head)
      head = 0
    }
    makeRoom()
  }

  const flush = () => {
    if (due.length === 0) return
    const packets = toPubacks(due)
    due = []
    if (client.closed || client.disconnectReasonCode !== null || client.conn.write(packets)) return
    // A device that does not read its acknowledgements gets no further ones to not read.
    unsent = true
    full = true
    client.waitForDrain(() => {
      unsent = false
      makeRoom()
    })
  }

  return {
    enter(packetId, size) {
      const turn = { packetId, bytes: size, settled: false, otherwise: undefined }
      turns.push(turn)
      bytes += size
      shared.bytes += size
      full ||= turns.length - head >= maxOpen || bytes >= mostBytes()
      return turn
    },
    acknowledge(turn) {
      turn.settled = true
      if (turn === turns[head]) advance()
    },
    settle(turn, otherwise) {
      turn.settled = true
      turn.otherwise = otherwise
      if (turn === turns[head]) advance()
    },
    isFull: () => full,
  }
}

/** PUBACK with reason code 0, which MQTT 5 leaves out and MQTT 3.1.1 does not have [MQTT5-3.4.2.1]. */
export function toPubacks(packetIds: readonly number[]): Buffer {
  const packets = Buffer.allocUnsafe(packetIds.length * 4)
  for (let i = 0; i < packetIds.length; i++) packets.writeUInt32BE(0x40020000 | packetIds[i]!, i * 4)
  return packets
}

let flushes: (() => void)[] = []

/** After the promises that are settled by now have told everybody, so that one group of the spool is one write per socket. */
function flushSoon(flush: () => void): void {
  if (flushes.push(flush) > 1) return
  process.nextTick(() => {
    const all = flushes
    flushes = []
    for (const one of all) one()
  })
}
