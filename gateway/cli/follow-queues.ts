// What arrives in queues, body by body, for a fleet that checks its own readings at the far end. Takes the messages out.
import { systemClock as clock } from '../../lib/clock.ts'
import { packAttribute, unpack } from '../../lib/pack.ts'
import { createAws } from '../aws/clients.ts'
import type { Item, Queue } from '../consume/queue.ts'
import { createSqsQueue } from '../consume/sqs-queue.ts'
import { GatewayError } from '../errors.ts'

export interface FollowOptions {
  /** A queue's URL, which also says where SQS is, or its name at the embedded SQS; the cold chain's queues there where left out. */
  readonly queueUrl?: string
}

const embedded = { endpoint: 'http://127.0.0.1:4566', queues: ['telemetry', 'door-events.fifo'] }
const waitMs = 1_000
const receivers = 2

export function followQueues({ queueUrl }: FollowOptions = {}) {
  const endpoint = endpointOf(queueUrl)
  const local = !endpoint.endsWith('.amazonaws.com')
  const region = /^https:\/\/sqs\.([^.]+)\./.exec(endpoint)?.[1] ?? 'us-east-1'
  const aws = createAws({ region, accountId: '000000000000', ...(local ? { endpoint } : {}) })
  const queues = (queueUrl === undefined ? embedded.queues : [queueUrl]).map((name) =>
    createSqsQueue({ aws, name, visibilityTimeoutSeconds: 30, clock }),
  )
  const stopping = new AbortController()
  const following: Promise<void>[] = []

  const follow = async (queue: Queue, arrived: (body: Uint8Array) => void) => {
    while (!stopping.signal.aborted) {
      try {
        const items = await queue.receive(10, waitMs, stopping.signal)
        for (const body of items.flatMap(bodiesOf)) arrived(body)
        if (items.length > 0) await queue.remove(items)
      } catch {
        // A queue that is away for a moment is asked again; what is missing at the end is reported as lost.
        await clock.sleep(waitMs, stopping.signal).catch(() => undefined)
      }
    }
  }

  return {
    /** Rejects where a queue cannot be asked at all. */
    async start(arrived: (body: Uint8Array) => void): Promise<void> {
      await Promise.all(queues.map((queue) => queue.depth()))
      for (const queue of queues) for (let i = 0; i < receivers; i++) following.push(follow(queue, arrived))
    },
    async stop(): Promise<void> {
      stopping.abort()
      await Promise.all(following)
      aws.stop()
    },
  }
}

function endpointOf(queueUrl: string | undefined): string {
  if (queueUrl === undefined || /^[\w.-]+$/.test(queueUrl)) return embedded.endpoint
  const url = URL.parse(queueUrl)
  if (url && /^https?:$/.test(url.protocol)) return url.origin
  throw new GatewayError('CONFIG_INVALID', `--queue-url is "${queueUrl}"; expected the URL of a queue, or its name at the embedded SQS`)
}

function bodiesOf({ body, attributes }: Item): readonly Uint8Array[] {
  return attributes[packAttribute] === undefined ? [body] : unpack(body).map((reading) => reading.body)
}
