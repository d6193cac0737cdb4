// A connection that reads strictly: every packet that comes is decoded, and what cannot be decoded is a finding.
import { connect } from 'node:net'
import { splitPackets } from './reader.ts'
import { decodeServerPacket, type ServerPacket } from './server-packets.ts'

export interface Connection {
  readonly packets: readonly ServerPacket[]
  /** What was wrong with the bytes that came. */
  readonly problem: string | undefined
  readonly isClosed: boolean
  /** Bytes of the largest packet that came. */
  readonly largest: number
  write(bytes: Buffer): void
  /** No more is written; the other side may. */
  end(): void
  destroy(): void
  /** Resolves when `until` holds, when the connection is closed, or when `waitMs` have passed. */
  when(until: () => boolean, waitMs?: number): Promise<void>
}

export const patienceMs = 8_000

/** `version` of what is read; both are tried where it is unknown. */
export function open(port: number, version: 4 | 5 | undefined, onPacket: (packet: ServerPacket) => void = () => {}): Connection {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const packets: ServerPacket[] = []
  let rest: Buffer = Buffer.alloc(0)
  let problem: string | undefined
  let closed = false
  let largest = 0
  let wake = () => {}

  const read = (bytes: Buffer) => {
    largest = Math.max(largest, bytes.length)
    const packet = version ? decodeServerPacket(bytes, version) : decodeEither(bytes)
    packets.push(packet)
    onPacket(packet)
  }
  socket.on('data', (bytes) => {
    try {
      const split = splitPackets(rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes)
      rest = split.rest
      for (const one of split.packets) read(one)
    } catch (error) {
      problem ??= `sent ${bytes.toString('hex')}: ${(error as Error).message}`
    }
    wake()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
    wake()
  })
  return {
    packets,
    get problem() {
      return problem ?? (closed && rest.length > 0 ? `sent half a packet: ${rest.toString('hex')}` : undefined)
    },
    get isClosed() {
      return closed
    },
    get largest() {
      return largest
    },
    write: (bytes) => void socket.write(bytes),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
    async when(until, waitMs = patienceMs) {
      const deadline = performance.now() + waitMs
      while (!closed && !until()) {
        const left = deadline - performance.now()
        if (left <= 0) return
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    },
  }
}

function decodeEither(bytes: Buffer): ServerPacket {
  try {
    return decodeServerPacket(bytes, 4)
  } catch {
    return decodeServerPacket(bytes, 5)
  }
}
