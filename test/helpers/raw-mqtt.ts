// A device that speaks in bytes: sends what it is told, however wrong, and keeps every packet that comes back.
import { connect, type Socket } from 'node:net'
import { generate, type IConnectPacket, type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { expect } from 'vitest'

export interface RawDevice {
  readonly socket: Socket
  readonly received: readonly Packet[]
  readonly closed: Promise<void>
  send(...packets: readonly (Packet | Buffer)[]): void
  /** Resolves when so many packets of a kind have come, with all of them. */
  next<C extends Packet['cmd']>(cmd: C, count?: number): Promise<readonly Extract<Packet, { cmd: C }>[]>
}

export interface RawOptions {
  readonly clientId?: string
  readonly protocolVersion?: 4 | 5
  readonly clean?: boolean
  readonly keepalive?: number
  /** What else the CONNECT says. */
  readonly connect?: Partial<IConnectPacket>
}

export async function aRawDevice(port: number, options: RawOptions = {}): Promise<RawDevice> {
  const { clientId = 'raw-1', protocolVersion = 4, clean = true, keepalive = 0 } = options
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true) // what is sent is there, answered or not
  socket.on('error', () => {})
  const received: Packet[] = []
  const parse = parser({ protocolVersion })
  parse.on('packet', (packet) => received.push(packet))
  socket.on('data', (bytes) => parse.parse(bytes))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const device: RawDevice = {
    socket,
    received,
    closed,
    send(...packets) {
      const bytes = packets.map((packet: Packet | Buffer) => (Buffer.isBuffer(packet) ? packet : generate(packet, { protocolVersion })))
      socket.write(Buffer.concat(bytes))
    },
    async next(cmd, count = 1) {
      const found = () => received.filter((packet) => packet.cmd === cmd)
      await expect.poll(() => found().length, { timeout: 5_000, interval: 5 }).toBeGreaterThanOrEqual(count)
      return found() as never
    },
  }
  const properties = protocolVersion === 5 && !clean ? { properties: { sessionExpiryInterval: 60 } } : {}
  device.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion, clean, clientId, keepalive, ...properties, ...options.connect })
  await device.next('connack')
  return device
}

export function aPublish(messageId: number, more: Partial<IPublishPacket> = {}): IPublishPacket {
  return {
    cmd: 'publish',
    topic: 'dt/coldchain/acme/truck-1/raw-1/telemetry',
    payload: `${messageId}`,
    qos: 1,
    messageId,
    dup: false,
    retain: false,
    ...more,
  }
}
