// The only file that sees every room: builds them, wires them, starts and stops them in order.
import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { backoffMs } from '../lib/backoff.ts'
import { systemClock } from '../lib/clock.ts'
import { randomSeed, systemRandom } from '../lib/random.ts'
import { type Access, createAccess } from './access/access.ts'
import { createArns } from './access/arn.ts'
import { createRegistry } from './access/registry.ts'
import type { ActionDeps } from './actions/action.ts'
import { bindAction } from './actions/index.ts'
import { type Aws, createAws } from './aws.ts'
import type { Broker, Ingest } from './broker/broker.ts'
import { keptClientId } from './broker/client-id.ts'
import { createBroker } from './broker/index.ts'
import type { Routes } from './broker/routes.ts'
import { createFileJournal, createMemoryJournal } from './broker/sessions/journal.ts'
import { createSessions } from './broker/sessions/sessions.ts'
import { createCommands } from './commands/commands.ts'
import { type GatewayConfig, isLoopback, portsOf, resourcesOf, rulesDirOf, thingsPathOf, tlsOf } from './config.ts'
import { type BacklogReport, createBacklog } from './consume/backlog.ts'
import { buildConsumer } from './consume/build.ts'
import type { Consumer } from './consume/consumer.ts'
import type { Handler } from './consume/queue.ts'
import { createSqsQueue } from './consume/sqs-queue.ts'
import type { Rates } from './dashboard/river.ts'
import { createAdmin } from './dashboard/server.ts'
import { textOf } from './errors.ts'
import { createCommandsHttp } from './listen/commands-http.ts'
import { createHttpDoor, type Door, type Port } from './listen/door.ts'
import { createHttpIngestDoor } from './listen/http.ts'
import { createMqttDoor, createMqttWsDoor } from './listen/mqtt.ts'
import { createPublisher } from './listen/publisher.ts'
import { createServer } from './listen/server.ts'
import { loadTls } from './listen/tls.ts'
import { createWebSocketDoor } from './listen/websocket.ts'
import { startLocal } from './local/local.ts'
import { ensureResources, queueNamesOf, type Resources } from './local/resources.ts'
import { createIds } from './message.ts'
import { createHealth, type Health } from './observe/health.ts'
import { createLedger, type Ledger } from './observe/ledger.ts'
import { type Log, startingWith } from './observe/log.ts'
import { createObserve, type Observatory, type Observe } from './observe/observe.ts'
import { createRegistry as createPrometheus } from './observe/prometheus.ts'
import { createOverflow, type Lanes } from './overflow.ts'
import { createPipeline, laneShare, type Pipeline } from './pipeline.ts'
import { createDispatch } from './rules/dispatch.ts'
import { readRules } from './rules/load.ts'
import { createRules } from './rules/rules.ts'
import type { Scope } from './rules/sql/scope.ts'
import type { Statement } from './rules/sql/statement.ts'
import { compileTemplate } from './rules/sql/template.ts'
import { createDirectSpool } from './spool/direct.ts'
import { createFileSpool, inFlightBytes } from './spool/file.ts'
import { nodeFs } from './spool/fs.ts'
import type { Spool } from './spool/spool.ts'

export type Ports = Readonly<Record<string, number>>

/** Without numbers where the queue could not be asked. */
export type QueueState = Partial<BacklogReport> & Pick<BacklogReport, 'queue'>

export interface GatewayOptions {
  readonly config: GatewayConfig
  /** What the paths of consumers' handlers are relative to. Default: the working directory. */
  readonly directory?: string
  readonly log?: Log
  /** By queue name: what to do with its items instead of what the config says. */
  readonly handlers?: Readonly<Record<string, Handler>>
  /** For the dashboard: dollars of a month at these rates. */
  readonly monthlyDollars?: (rates: Rates) => number
}

export interface Gateway {
  readonly observe: Observatory
  readonly consumers: readonly Consumer[]
  readonly ports: Ports
  ledger(): Ledger
  health(): Health
  /** What waits in every queue of the configuration. */
  queues(): Promise<readonly QueueState[]>
  /** Stops taking messages, delivers what was accepted for up to `drainTimeoutMs`, and closes everything. */
  stop(drainTimeoutMs?: number): Promise<void>
}

/** How to stop what has started: the last one first. */
type Stops = (() => Promise<void> | void)[]

const clock = systemClock

/** Lanes come and go: small segments give their space back soon. */
const laneSegmentBytes = 16 * 1024 ** 2

/** Resolves when every door is open. Rejects with a GatewayError a person can read, and leaves nothing running. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const stops: Stops = []
  const stopAll = async () => {
    for (const stop of stops.splice(0)) await stop()
  }
  try {
    return await start(options, stops, stopAll)
  } catch (error) {
    await stopAll()
    throw error
  }
}

async function start(options: GatewayOptions, stops: Stops, stopAll: () => Promise<void>): Promise<Gateway> {
  const { config, directory = process.cwd(), log, handlers = {} } = options
  const observe = createObserve(log && startingWith('gateway.ready', log))
  const health = createHealth(observe)
  const random = systemRandom()
  const stopping = new AbortController()
  const rulesDir = rulesDirOf(config)
  const listen = portsOf(config)
  const tlsConfig = tlsOf(config)
  const tls = tlsConfig && loadTls(tlsConfig)
  const thingsPath = thingsPathOf(config)
  const resources = resourcesOf(config)
  await readRules(rulesDir) // what is wrong with them is told before anything starts

  const { aws, ports: localPorts } = await reachAws(config, observe, stops)
  stops.unshift(() => stopping.abort(new Error('the gateway has stopped')))
  if (config.aws.endpoint !== 'aws')
    await prepareResources(aws, resources, config.aws.endpoint, { observe, random, signal: stopping.signal })

  const deps = { aws, clock, random, observe, fetch: globalThis.fetch }
  const publish: Broker['publish'] = (message) => broker.publish(message)
  const rules = await createRules(rulesDir, {
    bind: (entry, { statement }) => bindAction(entry, { ...deps, broker: { publish }, template: templateOf(statement) }),
    observe,
    clock,
    signal: stopping.signal,
  })
  stops.unshift(() => rules.stop())

  const spool = createSpool(config, observe)
  await spool.start()
  stops.unshift(() => spool.stop())

  const overflow = createOverflowOf(config, observe)
  const beside = overflow ? { overflow } : {}
  if (overflow) stops.unshift(() => overflow.stop())
  const dispatch = createDispatch({ observe, environment: { accountId: config.aws.accountId }, ...beside })
  const pipeline: Pipeline = createPipeline({ spool, dispatch, ruleSet: rules.current, observe, clock, ...config.delivery, ...beside })
  const ledger = createLedger(observe.metrics, () => ({ queued: pipeline.queued(), pending: pipeline.pending() }))
  await pipeline.start()
  stops.unshift(() => pipeline.stop(0))

  const consumers: Consumer[] = []
  for (const consumer of config.consumers) {
    const built = await buildConsumer(consumer, { ...deps, directory, handler: handlers[consumer.queue] })
    built.start()
    consumers.push(built)
    stops.unshift(() => built.stop())
  }

  const queues = watchQueues(aws, resources, consumers)

  const ids = createIds(clock.now, random)
  const registry = await createRegistry(thingsPath, { observe, clock, signal: stopping.signal })
  const access = createAccess(config.access, {
    ...{ clock, observe, arns: createArns(config.aws) },
    ...{ things: registry.current, listen: registry.listen },
  })
  const isRouted = (topic: string) => rules.current().match(topic).length > 0
  const commands = createCommands(config.commands, {
    publish,
    filtersOf: (clientId) => broker.filtersOf?.(clientId),
    isKnown: (clientId) => broker.hasSeen?.(clientId) === true || access.thing(clientId) !== undefined,
    clock,
    ids,
  })
  commands.start()
  stops.unshift(() => commands.stop())
  const ingest: Ingest = (message) => {
    const accepted = pipeline.ingest(message)
    return commands.isWaiting() ? accepted.then(() => commands.seen(message)) : accepted
  }
  const broker: Broker = await createBroker(config.broker, {
    ...{ ingest, access, observe, clock, random, ids, isRouted, sessions: createBrokerSessions(config, access, observe) },
    clientId: () => keptClientId(config.dataDir, ids),
    tenantTopicLevel: config.access.tenantTopicLevel,
  })
  await broker.start()
  stops.unshift(() => broker.stop())

  const rulesNow = () =>
    rules.current().rules.map(({ name, filter }) => ({ name, filter, matches: observe.metrics.total('rule.matched', { rule: name }) }))
  const tenantsNow = () => consumers.map((consumer) => ({ queue: consumer.queue, tenants: consumer.tenants() }))
  const consumersNow = () => consumers.map((consumer) => ({ queue: consumer.queue, ...consumer.stats() }))

  let ready = false
  const prometheus = createPrometheus(observe.metrics, ledger)
  const admin = createAdmin({
    server: createServer({ observe, uuid: randomUUID }),
    ready: () => ready,
    health,
    metrics: async () => ({ contentType: prometheus.contentType, text: await prometheus.metrics() }),
    api: { ledger, queues, rules: rulesNow, tenants: tenantsNow },
    river: {
      ...{ metrics: observe.metrics, queues, clock, monthlyDollars: options.monthlyDollars },
      parts: { ledger, rules: rulesNow, tenants: tenantsNow, consumers: consumersNow },
    },
    events: (listener) => observe.listen(listener),
    plugins: [createCommandsHttp({ ask: commands.ask, find: commands.find, observe, uuid: randomUUID })],
  })

  const { host } = config
  const { adminHost } = config.listen
  const secure = tls ? { tls } : {}
  const at = (port: number, flag: string) => ({ host, port, flag, observe })
  const posting = { access, publish: createPublisher({ broker, clock, ids, observe }), clock, uuid: randomUUID }
  const doors = await openDoors(stops, [
    ['mqtt', listen.mqtt, (port) => createMqttDoor({ ...at(port, '--mqtt-port'), broker })],
    ['mqtts', listen.mqtts, (port) => createMqttDoor({ ...at(port, '--mqtts-port'), broker, ...secure })],
    ['mqttWs', listen.mqttWs, (port) => createMqttWsDoor({ ...at(port, '--mqtt-ws-port'), broker })],
    ['mqttWss', listen.mqttWss, (port) => createMqttWsDoor({ ...at(port, '--mqtt-wss-port'), broker, ...secure })],
    ['http', listen.http, (port) => createHttpIngestDoor({ ...at(port, '--http-port'), ...posting })],
    ['https', listen.https, (port) => createHttpIngestDoor({ ...at(port, '--https-port'), ...posting, ...secure })],
    ['websocket', listen.websocket, (port) => createWebSocketDoor({ ...at(port, '--websocket-port'), ...posting })],
    ['websockets', listen.websockets, (port) => createWebSocketDoor({ ...at(port, '--websockets-port'), ...posting, ...secure })],
    ['admin', listen.admin, (port) => createHttpDoor(admin, { host: adminHost, port, flag: '--admin-port', hostFlag: '--admin-host' })],
  ])
  // Before the doors close its connections, the broker says goodbye on them.
  stops.unshift(() => broker.stop())
  ready = true
  const ports = { ...doors, ...localPorts }
  observe.record('gateway.ready', { ports })
  if (doors.admin !== undefined && !isLoopback(adminHost)) observe.record('gateway.exposed', { host: adminHost, port: doors.admin })

  let stopped: Promise<void> | undefined
  const stop = async (drainTimeoutMs: number) => {
    ready = false
    observe.record('gateway.draining', { count: pipeline.queued() })
    await pipeline.stop(drainTimeoutMs)
    await stopAll()
    observe.record('gateway.stopped', { ...ledger() })
  }
  return {
    observe,
    consumers,
    ports,
    ledger,
    health,
    queues,
    stop(drainTimeoutMs = 10_000) {
      stopped ??= stop(drainTimeoutMs)
      return stopped
    },
  }
}

function createSpool({ spool, dataDir }: GatewayConfig, observe: Observe): Spool {
  if (spool.kind === 'direct') return createDirectSpool({ ...spool, clock })
  return createFileSpool({ ...spool, dir: join(dataDir, 'spool'), clock, observe })
}

function createBrokerSessions({ sessions, dataDir }: GatewayConfig, { limits }: Access, observe: Observe) {
  const place = { dir: join(dataDir, 'sessions'), salt: randomSeed(), observe, fs: nodeFs }
  return (routes: Routes) =>
    createSessions({
      ...sessions,
      ...{ routes, clock, observe },
      journal: (journaled) => (sessions.persist ? createFileJournal({ journaled, ...place }) : createMemoryJournal(journaled)),
      maxRetained: limits.quotas.retainedMessages,
      messageExpirySeconds: limits.messageExpirySeconds,
    })
}

/** Without a spool on disk there is nowhere to make way to: the devices wait. */
function createOverflowOf({ spool, dataDir, delivery }: GatewayConfig, observe: Observe): Lanes | undefined {
  if (spool.kind === 'direct') return undefined
  const { maxBytes, maxAgeMs } = spool
  const dir = join(dataDir, 'overflow')
  // What a lane cannot take stays in the spool, which speaks for the disk that they share.
  const quiet: Observe = {
    record(event, fields) {
      if (event !== 'gateway.degraded' && event !== 'gateway.recovered') observe.record(event, fields)
    },
  }
  const segmentBytes = Math.min(spool.segmentBytes, laneSegmentBytes, Math.floor(maxBytes / 4))
  return createOverflow({
    open: (name) =>
      createFileSpool({
        dir: join(dir, name),
        maxBytes: Infinity,
        segmentBytes,
        windowBytes: 1024 ** 2,
        lock: false,
        maxAgeMs,
        clock,
        observe: quiet,
      }),
    names: async () => (await readdir(dir).catch(() => [])).filter((name) => /^\w+\.\d+$/.test(name)),
    maxHeld: Math.ceil(delivery.maxInFlight * laneShare),
    maxHeldBytes: inFlightBytes * laneShare,
    maxBytes,
    observe,
    clock,
  })
}

/** Action parameters are filled from the message that the statement saw; to the actions that is opaque. */
function templateOf(statement: Statement): ActionDeps['template'] {
  return (text) => {
    const fill = compileTemplate(text, { statement })
    return ({ scope }) => fill(scope as Scope)
  }
}

async function reachAws(config: GatewayConfig, observe: Observe, stops: Stops): Promise<{ readonly aws: Aws; readonly ports: Ports }> {
  const { endpoint, region, accountId } = config.aws
  const persist = config.local.persist ? { dataDir: join(config.dataDir, 'local') } : {}
  const local = endpoint === 'embedded' ? await startLocal({ port: config.local.port, region, observe, ...persist }) : undefined
  if (local) stops.unshift(() => local.stop())
  const url = local?.endpoint ?? (endpoint === 'aws' ? undefined : endpoint)
  const aws = createAws({ region, accountId, ...(url === undefined ? {} : { endpoint: url }) })
  stops.unshift(() => aws.stop())
  return { aws, ports: local ? { aws: local.port } : {} }
}

interface PrepareDeps {
  readonly observe: Observe
  readonly random: () => number
  readonly signal: AbortSignal
}

/** Waits for the first try only: a gateway whose queues are away starts degraded, says so, and goes on trying. */
async function prepareResources(aws: Aws, resources: Resources, target: string, { observe, random, signal }: PrepareDeps): Promise<void> {
  const attempt = async () => {
    try {
      await ensureResources(aws, resources)
      return true
    } catch (error) {
      observe.record('gateway.degraded', { target, code: 'QUEUE_UNREACHABLE', detail: `${target} does not answer: ${textOf(error)}` })
      return false
    }
  }
  const goOn = async () => {
    for (let attempts = 0; !signal.aborted; attempts++) {
      await clock.sleep(500 + backoffMs({ baseMs: 500, capMs: 10_000 }, attempts, random), signal)
      if (await attempt()) return observe.record('gateway.recovered', { target })
    }
  }
  if (!(await attempt())) goOn().catch(() => undefined) // only the stop ends its sleep early
}

/** Every queue of the configuration and its dead-letter queue, looked at when somebody asks: polling costs money on AWS. */
function watchQueues(aws: Aws, resources: Resources, consumers: readonly Consumer[]): () => Promise<readonly QueueState[]> {
  const backlogs = queueNamesOf(resources).map((name) => {
    const queue = createSqsQueue({ aws, name, visibilityTimeoutSeconds: 30, clock })
    const consumer = consumers.find((consumer) => consumer.queue === name)
    return { name, backlog: createBacklog({ queue, clock, ...(consumer ? { stats: consumer.stats } : {}) }) }
  })
  const look = async ({ name, backlog }: (typeof backlogs)[number]): Promise<QueueState> => {
    const asked = await backlog.sample().then(
      () => true,
      () => false,
    )
    return asked ? backlog.report() : { queue: name }
  }
  return () => Promise.all(backlogs.map(look))
}

type DoorRow = readonly [name: string, port: Port, create: (port: number) => Door]

async function openDoors(stops: Stops, rows: readonly DoorRow[]): Promise<Ports> {
  const ports: Record<string, number> = {}
  for (const [name, port, create] of rows) {
    if (port === 'off') continue
    const door = create(port)
    ports[name] = await door.start()
    stops.unshift(() => door.stop())
  }
  return ports
}
