// The cheapest SQS there can be, in a process of its own: reads every message of a call, answers as SQS does, keeps nothing. Prints its port.
// So the machine's cores go to what is measured, and not to an emulator that AWS would run elsewhere.
import { hash, randomUUID } from 'node:crypto'
import { createServer } from 'node:net'

interface Attribute {
  readonly DataType: string
  readonly StringValue: string
}

interface Entry {
  readonly Id: string
  readonly MessageBody: string
  readonly MessageAttributes?: Readonly<Record<string, Attribute>>
}

const scratch = Buffer.alloc(1_048_576)

/** The digest of attributes: by name, each of name, type and value behind its length, and a 1 for "text" [AWS sqs-message-metadata]. */
function md5OfAttributes(attributes: Readonly<Record<string, Attribute>>): string {
  let at = 0
  const add = (text: string) => {
    const length = scratch.write(text, at + 4)
    scratch.writeUInt32BE(length, at)
    at += 4 + length
  }
  for (const name of Object.keys(attributes).sort()) {
    const { DataType, StringValue } = attributes[name]!
    add(name)
    add(DataType)
    scratch[at++] = 1
    add(StringValue)
  }
  return hash('md5', scratch.subarray(0, at))
}

let received = 0
const run = randomUUID().slice(0, -12)

function accepted({ Id, MessageBody, MessageAttributes }: Entry) {
  if (!Id || !MessageBody) throw new Error('an entry needs Id and MessageBody')
  return {
    Id,
    MessageId: run + String(++received).padStart(12, '0'),
    MD5OfMessageBody: hash('md5', MessageBody),
    ...(MessageAttributes && { MD5OfMessageAttributes: md5OfAttributes(MessageAttributes) }),
  }
}

const answers: Readonly<Record<string, (input: never) => unknown>> = {
  SendMessageBatch: ({ Entries }: { Entries: readonly Entry[] }) => ({ Successful: Entries.map(accepted), Failed: [] }),
  SendMessage: (entry: Entry) => accepted({ ...entry, Id: '0' }),
  CreateQueue: ({ QueueName }: { QueueName: string }) => ({ QueueUrl: urlOf(QueueName) }),
  GetQueueUrl: ({ QueueName }: { QueueName: string }) => ({ QueueUrl: urlOf(QueueName) }),
  GetQueueAttributes: () => ({ Attributes: { QueueArn: 'arn:aws:sqs:us-east-1:000000000000:bench' } }),
}

function answer(head: string, body: string): string {
  const action = /^x-amz-target: *AmazonSQS\.(\w+)/im.exec(head)?.[1] ?? ''
  const json = JSON.stringify(answers[action]?.(JSON.parse(body) as never) ?? {})
  return `HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
}

const server = createServer({ noDelay: true }, (socket) => {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('error', () => undefined)
  socket.on('data', (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    for (;;) {
      const bodyAt = rest.indexOf('\r\n\r\n') + 4
      if (bodyAt < 4) return
      const head = rest.toString('latin1', 0, bodyAt)
      const end = bodyAt + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
      if (rest.length < end) return
      socket.write(answer(head, rest.toString('utf8', bodyAt, end)))
      rest = rest.subarray(end)
    }
  })
})

const urlOf = (queue: string) => `http://127.0.0.1:${port()}/000000000000/${queue}`
const port = () => (server.address() as { readonly port: number }).port

server.listen(0, '127.0.0.1', () => process.stdout.write(`${JSON.stringify({ ports: { sqs: port() } })}\n`))
