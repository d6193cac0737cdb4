// An HTTP relay in front of SQS and SNS: which calls a gateway and its consumers make, and what AWS would bill for them.
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { steps } from '../metering.ts'
import { incrementBytes, loadPriceBook } from '../price-book.ts'

export interface Calls {
  /** `SendMessageBatch` → how many calls, 64 KB requests, and messages in them. An empty receive carries none. */
  readonly calls: Readonly<
    Record<string, { readonly calls: number; readonly requests: number; readonly messages: number; readonly empty: number }>
  >
}

export interface AwsMeter {
  /** `http://127.0.0.1:4566` */
  readonly endpoint: string
  calls(): Calls['calls']
  /** Forgets what it counted. */
  reset(): void
  stop(): Promise<void>
}

export async function startAwsMeter(target: number): Promise<AwsMeter> {
  const counted = new Map<string, Calls['calls'][string]>()
  const increment = incrementBytes(loadPriceBook('us-east-1'), 'sqs.standardRequests')
  const count = (asked: IncomingMessage, body: Buffer, answer: Buffer) => {
    const name = callOf(asked, body)
    const before = counted.get(name) ?? { calls: 0, requests: 0, messages: 0, empty: 0 }
    const { bytes, messages } = carried(name, body, answer)
    counted.set(name, {
      calls: before.calls + 1,
      requests: before.requests + steps(bytes, increment),
      messages: before.messages + messages,
      empty: before.empty + (name === 'ReceiveMessage' && messages === 0 ? 1 : 0),
    })
  }
  const server = createServer(async (asked, answered) => {
    const body = await whole(asked)
    const { method, url, headers } = asked
    const forwarded = request({ host: '127.0.0.1', port: target, method, path: url, headers }, async (response) => {
      const answer = await whole(response)
      count(asked, body, answer)
      answered.writeHead(response.statusCode ?? 502, response.headers).end(answer)
    })
    forwarded.on('error', () => answered.destroy())
    answered.on('close', () => forwarded.destroy())
    forwarded.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: () => Object.fromEntries(counted),
    reset: () => counted.clear(),
    stop: () => stopServer(server),
  }
}

/** SQS says it in a header, SNS in its form. */
function callOf({ headers }: IncomingMessage, body: Buffer): string {
  const target = headers['x-amz-target']
  return typeof target === 'string' ? target.split('.').at(-1)! : (new URLSearchParams(body.toString()).get('Action') ?? 'unknown')
}

interface SqsBody {
  readonly MessageBody?: string
  readonly Entries?: readonly { readonly MessageBody?: string }[]
  readonly Messages?: readonly { readonly Body?: string }[]
}

/** Bytes that count towards the 64 KB steps: the bodies, of all messages of a call together. */
function carried(name: string, body: Buffer, answer: Buffer): { readonly bytes: number; readonly messages: number } {
  const bodies = bodiesOf(name, body, answer)
  return { bytes: bodies.reduce((sum, text) => sum + Buffer.byteLength(text), 0), messages: bodies.length }
}

function bodiesOf(name: string, body: Buffer, answer: Buffer): readonly string[] {
  if (name === 'Publish') return [new URLSearchParams(body.toString()).get('Message') ?? '']
  const { MessageBody, Entries = [] } = parse(body)
  if (name === 'SendMessage') return [MessageBody ?? '']
  if (name === 'SendMessageBatch' || name === 'DeleteMessageBatch') return Entries.map((entry) => entry.MessageBody ?? '')
  if (name === 'ReceiveMessage') return (parse(answer).Messages ?? []).map(({ Body = '' }) => Body)
  return []
}

function parse(body: Buffer): SqsBody {
  try {
    return JSON.parse(body.toString()) as SqsBody
  } catch {
    return {}
  }
}

async function whole(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function stopServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
