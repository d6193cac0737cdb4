// Devices by the thousand messages, in a process of their own: sockets that send bytes encoded beforehand and count what is acknowledged.
import { connect, type Socket } from 'node:net'

export interface Load {
  readonly port: number
  readonly connections: number
  /** First two levels of the topic; tenant, site, device and `telemetry` follow. */
  readonly topic: string
  /** Unacknowledged PUBLISHes a connection keeps in flight; 0 when `rate` sets the pace. */
  readonly inFlight: number
  /** Messages per second of all connections together, sent whether or not the earlier ones were acknowledged. */
  readonly rate?: number
  /** Ends after so many acknowledgements … */
  readonly count?: number
  /** … or after this time, of which the first quarter warms up and is not counted. */
  readonly seconds?: number
}

export interface LoadResult {
  readonly sent: number
  readonly acked: number
  /** Of the counted part. */
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** When the first message left, in the clock of performance.timeOrigin. */
  readonly startedAt: number
}

/** Latencies in steps of 10 µs up to 10 s. */
const bucketMs = 0.01
const buckets = new Uint32Array(1_000_000)
let measured = 0
let counting = false

const load: Load = JSON.parse(process.argv[2] ?? '{}')
const { port, connections, topic, inFlight, rate = 0, count = Infinity, seconds = Infinity } = load
const slots = inFlight || 4_096
let sent = 0
let acked = 0

const textOf = (text: string) => {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
}

const packetOf = (type: number, body: Buffer) => {
  const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7]
  return Buffer.concat([Buffer.from([type, ...length]), body])
}

/** One device: a ring of encoded PUBLISHes, of which a slot is sent again only after its acknowledgement. */
class Device {
  readonly socket: Socket
  readonly #ring: Buffer
  readonly #size: number
  readonly #idAt: number
  readonly #sentAt = new Float64Array(slots)
  #sent = 0
  #acked = 0
  #rest: Buffer = Buffer.alloc(0)

  constructor(index: number) {
    const name = `device-${index}`
    const path = textOf(`${topic}/tenant-${index % 4}/site-${index % 16}/${name}/telemetry`)
    const reading = {
      device: name,
      boot: 1,
      sequence: 123_456,
      temperature: -18.52,
      humidity: 41.2,
      door: 'closed',
      battery: 0.98,
      lat: 52.5201,
      lon: 13.4049,
    }
    const publish = packetOf(0x32, Buffer.concat([path, Buffer.alloc(2), Buffer.from(JSON.stringify(reading))])) // QoS 1
    this.#size = publish.length
    this.#idAt = publish.indexOf(path) + path.length
    this.#ring = Buffer.concat(Array.from({ length: slots }, () => publish))
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket.write(packetOf(0x10, Buffer.concat([textOf('MQTT'), Buffer.from([4, 2, 0, 0]), textOf(name)])))
  }

  async connected(): Promise<void> {
    const connack = await new Promise<Buffer>((resolve, reject) => this.socket.once('data', resolve).once('error', reject))
    if (connack.toString('hex') !== '20020000') throw new Error(`no CONNACK: ${connack.toString('hex')}`)
    this.socket.on('data', (bytes) => this.#onAcks(bytes))
    this.socket.on(
      'close',
      () => acked < count && fail(`${this.#sent - this.#acked} messages were in flight when the connection was closed`),
    )
  }

  send(messages: number): void {
    const now = performance.now()
    for (let left = Math.min(messages, count - sent, slots - (this.#sent - this.#acked)); left > 0; ) {
      const from = this.#sent % slots
      const run = Math.min(left, slots - from)
      for (let i = from; i < from + run; i++) {
        this.#ring.writeUInt16BE(++this.#sent % 65_535 || 65_535, i * this.#size + this.#idAt)
        this.#sentAt[i] = now
      }
      this.socket.write(this.#ring.subarray(from * this.#size, (from + run) * this.#size))
      left -= run
      sent += run
    }
  }

  #onAcks(bytes: Buffer): void {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, bytes]) : bytes
    const now = performance.now()
    let at = 0
    for (; at + 4 <= all.length; at += 4) {
      const expected = (this.#acked + 1) % 65_535 || 65_535
      if (all.readUInt16BE(at) !== 0x4002 || all.readUInt16BE(at + 2) !== expected)
        fail(`PUBACK ${expected} was due, not ${all.toString('hex', at, at + 4)}`)
      if (counting) {
        const bucket = Math.min(buckets.length - 1, Math.floor((now - this.#sentAt[this.#acked % slots]!) / bucketMs))
        buckets[bucket]!++
        measured++
      }
      this.#acked++
    }
    this.#rest = all.subarray(at)
    acked += at >> 2
    if (rate === 0) this.send(at >> 2)
  }
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}

function percentile(share: number): number {
  let seen = 0
  for (const [bucket, messages] of buckets.entries()) {
    seen += messages
    if (seen >= measured * share) return bucket * bucketMs
  }
  return Number.NaN
}

const devices = Array.from({ length: connections }, (_, index) => new Device(index))
await Promise.all(devices.map((device) => device.connected()))

const startedAt = performance.now()
const warmUpMs = seconds === Infinity ? 0 : seconds * 250
let countedFrom = startedAt
let ackedBefore = 0
let next = 0
if (rate === 0) for (const device of devices) device.send(inFlight)

await new Promise<void>((resolve) => {
  const timer = setInterval(() => {
    const now = performance.now()
    if (rate > 0) for (const due = ((now - startedAt) / 1_000) * rate; next < due; next++) devices[next % connections]!.send(1)
    if (!counting && now - startedAt >= warmUpMs) {
      counting = true
      countedFrom = now
      ackedBefore = acked
    }
    if (acked < count && now - startedAt < seconds * 1_000) return
    clearInterval(timer)
    resolve()
  }, 1)
})
const elapsed = performance.now() - countedFrom
const result: LoadResult = {
  sent,
  acked,
  perSecond: ((acked - ackedBefore) / elapsed) * 1_000,
  p50: percentile(0.5),
  p99: percentile(0.99),
  startedAt: performance.timeOrigin + startedAt,
}
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
