// What one would write in an evening: aedes, batches, and the AWS SDK. It acknowledges before anything is safe, retries nothing and knows no
// rules. Prints its ports; argument: `packed` or nothing.
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { SendMessageBatchCommand, type SendMessageBatchRequestEntry, SQSClient } from '@aws-sdk/client-sqs'
import { Aedes } from 'aedes'

const [endpoint = '', how] = process.argv.slice(2)
const packBytes = how === 'packed' ? 65_536 : 0
const maxEntries = packBytes > 0 ? 1 : 10
const lingerMs = 5
const maxCalls = 16

const sqs = new SQSClient({
  ...{ endpoint, region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' }, md5: false },
})
const QueueUrl = `${endpoint}/000000000000/telemetry`

interface Body {
  readonly text: string
  readonly readings: number
}

let pack: string[] = []
let packed = 0
const bodies: Body[] = []
let calls = 0
let delivered = 0

function add(text: string): void {
  if (packBytes === 0) bodies.push({ text, readings: 1 })
  else {
    pack.push(text)
    packed += text.length + 1
    if (packed >= packBytes) closePack()
  }
  if (bodies.length >= maxEntries) send()
}

function closePack(): void {
  if (pack.length > 0) bodies.push({ text: pack.join('\n'), readings: pack.length })
  pack = []
  packed = 0
}

function send(): void {
  while (bodies.length > 0 && calls < maxCalls) {
    const batch = bodies.splice(0, maxEntries)
    const Entries = batch.map(({ text }, index): SendMessageBatchRequestEntry => ({ Id: String(index), MessageBody: text }))
    calls++
    sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries })).then(({ Failed = [] }) => {
      if (Failed.length > 0) throw new Error('an entry was not accepted')
      calls--
      for (const { readings } of batch) delivered += readings
      send()
    })
  }
}

setInterval(() => {
  closePack()
  send()
}, lingerMs)

const broker = new Aedes({
  concurrency: 0,
  authorizePublish(_client, packet, done) {
    const [, , tenant, site] = packet.topic.split('/')
    const reading = { ...JSON.parse(packet.payload.toString()), tenant, site, receivedAt: Date.now() }
    add(JSON.stringify(reading))
    done(null)
  },
})
await broker.listen()

const mqtt = createServer((socket) => broker.handle(socket)).listen(0, '127.0.0.1')
const admin = createHttpServer((_request, response) => response.end(JSON.stringify({ delivered, dead: 0 }))).listen(0, '127.0.0.1')
const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port
admin.once('listening', () => process.stdout.write(`${JSON.stringify({ ports: { mqtt: portOf(mqtt), admin: portOf(admin) } })}\n`))
