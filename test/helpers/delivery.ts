// Deliveries and the things actions are bound to, made for tests.
import { type PublishBatchCommandInput, type PublishBatchRequestEntry, SNSClient } from '@aws-sdk/client-sns'
import type { SendMessageBatchCommandInput, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs'
import { type ActionDeps, type ActionRef, type Delivery, type Outlet, type Sink, toPromise } from '../../gateway/actions/action.ts'
import { type ActionEntry, bindAction } from '../../gateway/actions/index.ts'
import type { Aws } from '../../gateway/aws/clients.ts'
import { createSink, type OutletDeps } from '../../gateway/delivery/outlet.ts'
import type { Message } from '../../gateway/message/message.ts'
import { createManualClock } from './manual-clock.ts'
import { createSpyObserve } from './spy-observe.ts'

export function createMessage(message: Partial<Message> = {}): Message {
  return {
    id: '01JZZZZZZZ0000000000000000',
    topic: 'dt/coldchain/acme/truck-7/freezer-1/telemetry',
    payload: Buffer.from('{"temperature":-18.5}'),
    qos: 1,
    retain: false,
    receivedAt: Date.UTC(2026, 0, 1),
    source: { clientId: 'freezer-1', transport: 'mqtt', tenant: 'acme' },
    hops: 0,
    ...message,
  }
}

export function createDelivery({ body, ...rest }: Partial<Omit<Delivery, 'body'>> & { body?: string | Uint8Array } = {}): Delivery {
  const message = rest.message ?? createMessage()
  const rule = rest.rule ?? 'telemetry'
  return {
    message,
    rule,
    key: `${message.id}.${rule}.0`,
    scope: undefined,
    ...rest,
    body: body === undefined ? message.payload : Buffer.from(body),
  }
}

/** Resolves when the target has accepted, or rejects with the error of the delivery. */
export async function delivered(sink: Pick<Sink, 'deliver'>, delivery: Delivery, signal: AbortSignal): Promise<void> {
  await toPromise((done) => sink.deliver(delivery, signal, done))
}

/** The action of a rule's entry, with order and retries. */
export function bindSink(entry: ActionEntry, deps: ActionDeps & Pick<OutletDeps, 'maxHeld'>): Sink {
  return createSink(bindAction(entry, deps), deps)
}

/** A sink as an outlet without parking. `name` tells outlets of one rule apart. */
export function toOutlet(sink: Sink, rule: string, name = 'sqs'): Outlet {
  return { ...sink, ref: toRef(rule, name), deliverParked: sink.deliver }
}

/** A reference as a rule file would give, for an action and a target of one name. */
export function toRef(rule: string, name = 'sqs'): ActionRef {
  return { rule, action: `sqs.${Buffer.from(name).toString('hex').padEnd(16, '0').slice(0, 16)}` }
}

/** Knows `${topic()}`, `${topic(n)}` and `${key()}`, which is all a test of an action needs. */
export const plainTemplate: ActionDeps['template'] = (text) => (delivery) =>
  text.replace(/\$\{(topic|key)\((\d*)\)\}/g, (_, name, level) => {
    if (name === 'key') return delivery.key
    return level === '' ? delivery.message.topic : (delivery.message.topic.split('/')[level - 1] ?? '')
  })

export type SqsCall = SendMessageBatchCommandInput & { Entries: SendMessageBatchRequestEntry[] }
export type SnsCall = PublishBatchCommandInput & { PublishBatchRequestEntries: PublishBatchRequestEntry[] }
type Send<Input> = (command: { readonly input: Input }) => Promise<unknown>

interface FakeServices {
  readonly sqs?: Send<SqsCall>
  readonly sns?: Send<SnsCall>
  /** Any other service. */
  // biome-ignore lint/suspicious/noExplicitAny: the input of any command
  readonly other?: Send<any>
}

/** Each service is one function that sees the command and answers or throws. */
export function createFakeAws({ sqs, sns, other }: FakeServices): Aws {
  const topics = { send: sns ? whole(sns, ({ PublishBatchRequestEntries }) => PublishBatchRequestEntries.length) : unexpected }
  return {
    sqs: { send: unexpected } as unknown as Aws['sqs'],
    sqsSender: { send: sqs ? whole(sqs, ({ Entries }) => Entries.length) : unexpected } as unknown as Aws['sqsSender'],
    client: ((Client: unknown) => (Client === SNSClient ? topics : { send: other ?? unexpected })) as unknown as Aws['client'],
    queueUrl: (name) => (name.startsWith('http') ? name : `http://127.0.0.1/000000000000/${name}`),
    topicArn: (name) => (name.startsWith('arn:') ? name : `arn:aws:sns:us-east-1:000000000000:${name}`),
    isReady: true,
    stop: () => undefined,
  }
}

/** As SQS and SNS answer: what a test does not list as failed was successful, unless it lists that too. */
function whole<Call>(send: Send<Call>, count: (call: Call) => number): Send<Call> {
  return async (command) => {
    const answer = (await send(command)) as { readonly Failed?: readonly { readonly Id: string }[] }
    const failed = new Set(answer.Failed?.map(({ Id }) => Id))
    const ids = Array.from({ length: count(command.input) }, (_, place) => String(place))
    return { Successful: ids.filter((id) => !failed.has(id)).map((Id) => ({ Id })), ...answer }
  }
}

async function unexpected(): Promise<never> {
  throw new Error('the test did not expect a call')
}

export function createDeps(deps: Partial<ActionDeps & Pick<OutletDeps, 'maxHeld'>> = {}) {
  const clock = createManualClock()
  const observe = createSpyObserve()
  const made: ActionDeps & Pick<OutletDeps, 'maxHeld'> = {
    broker: { publish: async () => undefined },
    aws: createFakeAws({}),
    clock,
    random: () => 0.5,
    observe,
    fetch: unexpected,
    maxHeld: 384,
    template: plainTemplate,
    ...deps,
  }
  return { ...made, clock, observe }
}

/** The shape in which the SDK throws. */
export function sdkError(name: string, status: number, message = name): Error {
  return Object.assign(new Error(message), { name, $fault: status < 500 ? 'client' : 'server', $metadata: { httpStatusCode: status } })
}
