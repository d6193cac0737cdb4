// The only file that sees every room: builds them, wires them, starts and stops them in order.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { systemClock } from '../lib/clock.ts'
import { systemRandom } from '../lib/random.ts'
import { abortable } from '../lib/stop-signal.ts'
import { createAccess } from './access/access.ts'
import { createArns } from './access/arn.ts'
import { createRegistry } from './access/registry.ts'
import type { ActionDeps } from './actions/action.ts'
import { type ActionEntry, bindAction, deliveredTo, nounOf } from './actions/index.ts'
import type { Broker, Ingest } from './broker/broker.ts'
import { keptClientId } from './broker/client-id.ts'
import { createBroker } from './broker/index.ts'
import { createCommands } from './commands/commands.ts'
import {
  allowedHostsOf,
  fastPathsOf,
  type GatewayConfig,
  isLoopback,
  portsOf,
  resourcesOf,
  rulesDirOf,
  thingsPathOf,
  tlsOf,
} from './config.ts'
import { buildConsumer } from './consume/build.ts'
import type { Consumer } from './consume/consumer.ts'
import type { Handler } from './consume/queue.ts'
import { createQueueStates, type QueueState } from './consume/queue-states.ts'
import type { Rates } from './dashboard/river.ts'
import { createAdmin } from './dashboard/server.ts'
import { openLosses, openParking, openPlaces, openSessions, openSpool, openSteady, sharedDirs } from './data-dir.ts'
import { createDispatch } from './delivery/dispatch.ts'
import type { Tails } from './delivery/order.ts'
import { createOutlet, createSink } from './delivery/outlet.ts'
import { createPipeline, mostHeld, type Pipeline } from './delivery/pipeline.ts'
import { createCommandsHttp } from './listen/commands-http.ts'
import { createHttpDoor, type Door, type Port } from './listen/door.ts'
import { createHttpIngestDoor } from './listen/http.ts'
import { createMqttDoor, createMqttWsDoor } from './listen/mqtt.ts'
import { createPublisher } from './listen/publisher.ts'
import { createServer } from './listen/server.ts'
import { loadTls } from './listen/tls.ts'
import { createGuards } from './listen/trust.ts'
import { createWebSocketDoor } from './listen/websocket.ts'
import { prepareResources, type ReachOptions, reachAws } from './local/reach.ts'
import { deadLetterNamesOf, queueNamesOf } from './local/resources.ts'
import { createIds } from './message/ids.ts'
import type { Fields } from './observe/events.ts'
import { createHealth, type Health } from './observe/health.ts'
import { createLedger, type Ledger } from './observe/ledger.ts'
import { type Log, startingWith } from './observe/log.ts'
import { createObserve, type Observatory, type Observe } from './observe/observe.ts'
import { createRegistry as createPrometheus } from './observe/prometheus.ts'
import { type LoadedRule, readRules } from './rules/load.ts'
import { createRules } from './rules/rules.ts'
import type { Scope } from './rules/sql/scope.ts'
import type { Statement } from './rules/sql/statement.ts'
import { compileTemplate } from './rules/sql/template.ts'
import type { Losses } from './spool/losses.ts'

export type Ports = Readonly<Record<string, number>>

export interface GatewayOptions {
  readonly config: GatewayConfig
  /** What the paths of consumers' handlers are relative to. Default: the working directory. */
  readonly directory?: string
  readonly log?: Log
  /** By queue name: what to do with its items instead of what the config says. */
  readonly handlers?: Readonly<Record<string, Handler>>
  /** For the dashboard: dollars of a month at these rates. */
  readonly monthlyDollars?: (rates: Rates) => number
  /** false: run the general code only (config.ts). Default: as the environment says. */
  readonly fastPaths?: boolean
  /** Aborts the start. It has no effect on a gateway that is ready: call `stop` then. */
  readonly signal?: AbortSignal
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
/** Of one queue, on the page. */
const mostTenantsShown = 100

/**
 * Resolves when every listener is open. Rejects with a GatewayError a person can read, or with the reason of the signal, and
 * leaves nothing running.
 */
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
  const {
    config,
    directory = process.cwd(),
    log,
    handlers = {},
    signal = new AbortController().signal,
    fastPaths = fastPathsOf(),
  } = options
  /** For the steps that wait for something outside this process. */
  const unlessAborted = <T>(work: Promise<T>) => abortable(work, signal)
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

  const { aws, local, stop: leaveAws } = await reachAws({ ...reachOf(config, observe, signal), fastPaths })
  stops.unshift(leaveAws)
  stops.unshift(() => stopping.abort(new Error('the gateway has stopped')))
  const prepare = () => prepareResources(aws, resources, config.aws.endpoint, { observe, clock, random, signal: stopping.signal })
  local?.onRestart(prepare)
  if (config.aws.endpoint !== 'aws') await unlessAborted(prepare())

  const deps = { aws, clock, random, observe, fetch: globalThis.fetch }
  const publish: Broker['publish'] = (message) => broker.publish(message)

  const losses = openLosses(config, { observe, clock })
  await losses.start()
  stops.unshift(() => losses.stop())
  countQueueLosses(observe, losses)
  const steady = await openSteady(config, { observe, clock })
  stops.unshift(() => steady.stop())
  const dataDir = { observe, clock, losses, steady, fastPaths }

  const held: Record<string, () => number | undefined> = {}
  const places = openPlaces(config, dataDir, (place) => held[place.split('/', 1)[0]!]?.())
  await places.start()
  stops.unshift(() => places.stop())

  const parking = openParking(config, { ...dataDir, places })
  const maxHeld = mostHeld(config.delivery.maxInFlight)
  const tails: Tails = new Map()
  const outletDeps = { clock, random, observe, maxHeld, tails, parking }
  const bound = (entry: ActionEntry, { statement }: LoadedRule) =>
    bindAction(entry, { ...deps, broker: { publish }, template: templateOf(statement) })
  const rules = await createRules(rulesDir, {
    bind: {
      action: (entry, rule, ref) => createOutlet(bound(entry, rule), ref, outletDeps),
      errorAction: (entry, rule) => createSink(bound(entry, rule), outletDeps),
    },
    observe,
    clock,
    fastPaths,
    signal: stopping.signal,
  })
  stops.unshift(() => rules.stop())

  const spool = openSpool(config, dataDir)
  held.spool = () => spool.depth().messages
  await spool.start()
  stops.unshift(() => spool.stop())
  signal.throwIfAborted()

  if (parking) held.overflow = () => (parking.messages === 0 ? 0 : undefined)
  if (parking) stops.unshift(() => parking.stop())
  const dispatch = createDispatch({ observe, environment: { accountId: config.aws.accountId }, maxHeld })
  const pipeline: Pipeline = createPipeline({ spool, dispatch, ruleSet: rules.current, observe, clock, ...config.delivery, parking })
  const ledger = createLedger(observe.metrics, () => ({ queued: pipeline.queued(), pending: pipeline.pending(), ...losses.total() }))
  await pipeline.start()
  stops.unshift(() => pipeline.stop(0))

  const registry = await createRegistry(thingsPath, { observe, clock, signal: stopping.signal })
  const isKnownTenant = (tenant: string) => registry.current().tenants.has(tenant)
  const consumers: Consumer[] = []
  for (const consumer of config.consumers) {
    const own = { ...deps, directory, handler: handlers[consumer.queue], isKnownTenant }
    const built = await unlessAborted(buildConsumer(consumer, own))
    built.start()
    consumers.push(built)
    stops.unshift(() => built.stop())
  }

  const queues = createQueueStates({
    ...{ aws, consumers, clock },
    ...{ names: queueNamesOf(resources), deadLetterNames: deadLetterNamesOf(resources) },
  })

  const ids = createIds(clock.now, random)
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
    ...{ ingest, access, observe, clock, random, ids, isRouted, fastPaths },
    sessions: (routes, memory) => {
      const sessions = openSessions(config, access.limits, dataDir)(routes, memory)
      held.sessions = () => sessions.counts.queued + sessions.counts.retained
      return sessions
    },
    maxBytes: config.sessions.maxBytes,
    clientId: () => keptClientId(config.dataDir, ids),
    tenantTopicLevel: config.access.tenantTopicLevel,
  })
  await broker.start(signal)
  stops.unshift(() => broker.stop())
  signal.throwIfAborted()

  const rulesNow = () =>
    rules.current().rules.map(({ name, filter }) => ({ name, filter, matches: observe.metrics.total('rule.matched', { rule: name }) }))
  const tenantsNow = () => consumers.map((consumer) => ({ queue: consumer.queue, tenants: consumer.tenants() }))
  /** The page is sent these every second. */
  const busiestTenants = () => tenantsNow().map(({ queue, tenants }) => ({ queue, tenants: tenants.slice(0, mostTenantsShown) }))
  const consumersNow = () => consumers.map((consumer) => ({ queue: consumer.queue, ...consumer.stats() }))

  let ready = false
  const prometheus = createPrometheus(observe.metrics, ledger)
  const guardOf = createGuards({ allowHosts: allowedHostsOf(config), observe })
  const admin = createAdmin({
    server: createServer({ observe, uuid: randomUUID, guard: guardOf('admin', 'everyone') }),
    ready: () => ready,
    health,
    metrics: async () => ({ contentType: prometheus.contentType, text: await prometheus.metrics() }),
    api: { ledger, queues, rules: rulesNow, tenants: tenantsNow, losses: () => losses.list() },
    confirmLosses: () => losses.confirm(),
    river: {
      ...{ metrics: observe.metrics, nounOf, queues, clock, monthlyDollars: options.monthlyDollars },
      parts: { ledger, rules: rulesNow, tenants: busiestTenants, consumers: consumersNow },
    },
    events: (listener) => observe.listen(listener),
    plugins: [createCommandsHttp({ ask: commands.ask, find: commands.find, observe, uuid: randomUUID })],
  })

  const { host } = config
  const { adminHost } = config.listen
  // A client that uses TLS must authenticate.
  const secure = { ...(tls && { tls }), guard: guardOf('tls', 'nobody') }
  const plain = { guard: guardOf('ingest', config.access.anonymous === 'loopback' ? 'loopback' : 'nobody') }
  const at = (port: number, flag: string) => ({ host, port, flag, observe })
  const posting = { access, publish: createPublisher({ broker, clock, ids, observe }), clock, uuid: randomUUID }
  const deviceDoors: Door[] = []
  const devicePorts = await openDoors(stops, deviceDoors, [
    ['mqtt', listen.mqtt, (port) => createMqttDoor({ ...at(port, '--mqtt-port'), broker })],
    ['mqtts', listen.mqtts, (port) => createMqttDoor({ ...at(port, '--mqtts-port'), broker, ...(tls && { tls }) })],
    ['mqttWs', listen.mqttWs, (port) => createMqttWsDoor({ ...at(port, '--mqtt-ws-port'), broker, uuid: randomUUID, ...plain })],
    ['mqttWss', listen.mqttWss, (port) => createMqttWsDoor({ ...at(port, '--mqtt-wss-port'), broker, uuid: randomUUID, ...secure })],
    ['http', listen.http, (port) => createHttpIngestDoor({ ...at(port, '--http-port'), ...posting, ...plain })],
    ['https', listen.https, (port) => createHttpIngestDoor({ ...at(port, '--https-port'), ...posting, ...secure })],
    ['websocket', listen.websocket, (port) => createWebSocketDoor({ ...at(port, '--websocket-port'), ...posting, ...plain })],
    ['websockets', listen.websockets, (port) => createWebSocketDoor({ ...at(port, '--websockets-port'), ...posting, ...secure })],
  ])
  const adminPort = await openDoors(
    stops,
    [],
    [['admin', listen.admin, (port) => createHttpDoor(admin, { host: adminHost, port, flag: '--admin-port', hostFlag: '--admin-host' })]],
  )
  const doors: Ports = { ...devicePorts, ...adminPort }
  // Before the doors close its connections, the broker says goodbye on them.
  stops.unshift(() => broker.stop())
  ready = true
  const ports = { ...doors, ...(local && { aws: local.port }) }
  observe.record('gateway.ready', { ports })
  if (doors.admin !== undefined && !isLoopback(adminHost)) observe.record('gateway.exposed', { host: adminHost, port: doors.admin })

  const shared = sharedDirs(config.dataDir)
  if (shared.length > 0) observe.record('data.exposed', { detail: `run chmod 700 ${shared.join(' ')}` })

  let stopped: Promise<void> | undefined
  const stop = async (drainTimeoutMs: number) => {
    ready = false
    observe.record('gateway.draining', { count: pipeline.queued() })
    for (const door of deviceDoors) door.drain()
    await broker.drain?.()
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

/** The embedded queues are gone with their process: how much was in them is known as far as this gateway filled and emptied them. */
function countQueueLosses({ listen, metrics }: Observatory, losses: Losses): void {
  const count = (_: unknown, { outcome, detail }: Fields) => {
    if (outcome !== 'lost') return
    const delivered = deliveredTo('queue', metrics) + deliveredTo('topic', metrics)
    const consumed = metrics.total('consumer.handled') + metrics.total('consumer.buried')
    const known = `this gateway had delivered ${delivered} messages to them and consumed ${consumed} since its start`
    losses.place('the embedded queues', 'queues').add('running', { exact: false, reasons: [`${detail} (${known})`] })
  }
  listen(count, ['local.ended'])
}

/** Action parameters are filled from the message that the statement saw; to the actions that is opaque. */
function templateOf(statement: Statement): ActionDeps['template'] {
  return (text) => {
    const fill = compileTemplate(text, { statement })
    return ({ scope }) => fill(scope as Scope)
  }
}

function reachOf(config: GatewayConfig, observe: Observe, signal: AbortSignal): ReachOptions {
  const { endpoint, region, accountId } = config.aws
  const { port, persist } = config.local
  const dataDir = persist ? { dataDir: join(config.dataDir, 'local') } : {}
  return { endpoint, accountId, local: { port, region, observe, signal, allowHosts: allowedHostsOf(config), ...dataDir } }
}

type DoorRow = readonly [name: string, port: Port, create: (port: number) => Door]

async function openDoors(stops: Stops, opened: Door[], rows: readonly DoorRow[]): Promise<Ports> {
  const ports: Record<string, number> = {}
  for (const [name, port, create] of rows) {
    if (port === 'off') continue
    const door = create(port)
    ports[name] = await door.start()
    opened.push(door)
    stops.unshift(() => door.stop())
  }
  return ports
}
