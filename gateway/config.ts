// The rooms' schemas put together. Parsed once, here; inside, the values are trusted.
import { isIP } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { readJsonFileSync } from '../lib/json-file.ts'
import { parseAs } from '../lib/problems.ts'
import { accessSchema } from './access/access.ts'
import { awsSchema } from './aws/clients.ts'
import { brokerSchema } from './broker/config.ts'
import { sessionsSchema } from './broker/sessions/sessions.ts'
import { commandsSchema } from './commands/commands.ts'
import { consumerSchema } from './consume/consumer-config.ts'
import { GatewayError, invalidConfig } from './errors.ts'
import { isLoopbackAddress } from './listen/credentials.ts'
import { type Port, portSchema } from './listen/door.ts'
import { type TlsConfig, tlsSchema } from './listen/tls.ts'
import { localSchema } from './local/local.ts'
import { type Resources, resourcesSchema } from './local/resources.ts'
import { spoolSchema } from './spool/config.ts'

/** The cold chain's own rules and queues, which come with the program. */
const bundled = (path: string) => fileURLToPath(new URL(`../infra/${path}`, import.meta.url))

const hostName = /^[A-Za-z\d_](?:[\w-]*[A-Za-z\d_])?(?:\.[A-Za-z\d_](?:[\w-]*[A-Za-z\d_])?)*\.?$/

export const configSchema = z.strictObject({
  $schema: z.string().optional().describe('for editors'),
  host: z.string().default('127.0.0.1').describe('address every door but the admin port listens on; loopback unless told otherwise'),
  allowHosts: z
    .array(z.string().regex(hostName, 'must be a host name such as gateway.example, without scheme and port'))
    .default([])
    .describe(
      'host names, besides loopback names and IP addresses, that requests and web pages may name where callers need no credentials; `host` and `listen.adminHost` are allowed too',
    ),
  dataDir: z.string().default('.weir').describe('directory for the spool, the log and persisted queues'),
  listen: z
    .strictObject({
      mqtt: portSchema.optional().describe('MQTT port; 0 = any free, off = none; 1883 where the broker is embedded, else off'),
      mqtts: portSchema.optional().describe('MQTT over TLS, with device certificates; 8883 where `tls` is given, else off'),
      mqttWs: portSchema.optional().describe('MQTT over WebSocket port, path /mqtt; 8083 where the broker is embedded, else off'),
      mqttWss: portSchema.optional().describe('the same over TLS; 8084 where `tls` is given, else off'),
      http: portSchema.default(8081).describe('HTTP port, POST /topics/<topic>?qos='),
      https: portSchema.optional().describe('the same over TLS; 8443 where `tls` is given, else off'),
      websocket: portSchema.default(8082).describe('WebSocket port, JSON frames'),
      websockets: portSchema.optional().describe('the same over TLS; off unless given'),
      admin: portSchema.default(8080).describe('admin HTTP port: health, metrics, ledger, commands to devices'),
      adminHost: z
        .string()
        .default('127.0.0.1')
        .describe(
          'address the admin port listens on, whatever `host` says: it asks nobody who they are, so others reach it only where told',
        ),
    })
    .prefault({})
    .describe('the doors'),
  broker: brokerSchema
    .prefault({ kind: 'embedded' })
    .describe('where messages come from: devices that connect here, or the broker of somebody else'),
  tls: tlsSchema.optional().describe('certificates of the TLS doors'),
  certs: z.string().optional().describe('a folder that `weir certs mint` wrote: fills tls and access.things where they are left out'),
  aws: awsSchema.prefault({}).describe('where SQS and SNS are'),
  local: localSchema.prefault({}).describe('the embedded SQS and SNS, used when aws.endpoint is `embedded`'),
  resources: z
    .union([z.string(), resourcesSchema])
    .optional()
    .describe(
      "queues and topics, or the path of a file with them; the cold chain's where left out. Created on the embedded or an emulated endpoint, never on AWS",
    ),
  rules: z
    .strictObject({ dir: z.string().optional().describe("directory of rule files; the cold chain's where left out") })
    .prefault({})
    .describe('the rules'),
  access: accessSchema.prefault({}).describe('who may do what, and how much'),
  spool: spoolSchema.prefault({ kind: 'file' }).describe('what stands between an acknowledgement and a delivery'),
  sessions: sessionsSchema.prefault({}).describe('retained messages, persistent MQTT sessions and what waits in them'),
  commands: commandsSchema.prefault({}).describe('asking a device'),
  delivery: z
    .strictObject({ maxInFlight: z.number().int().min(1).default(3_072).describe('messages with the rules and their targets at one time') })
    .prefault({})
    .describe('from the spool to the targets'),
  consumers: z.array(consumerSchema).default([]).describe('what this process takes from queues'),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('the least important level written; gateway.ready is written at every level'),
    })
    .prefault({})
    .describe('the log'),
})

export type { Resources }
export type GatewayConfig = z.infer<typeof configSchema>
/** What a person may leave out. */
export type GatewayConfigInput = z.input<typeof configSchema>

/** The doors that devices connect to the embedded broker by, and those that only open with certificates; and where they are. */
const mqttPorts = { mqtt: 1_883, mqttWs: 8_083, mqtts: 8_883, mqttWss: 8_084 } as const
const tlsPorts = { mqtts: 8_883, mqttWss: 8_084, https: 8_443, websockets: 'off' } as const

type DoorName = Exclude<keyof GatewayConfig['listen'], 'adminHost'>

/** Throws CONFIG_INVALID for a TLS door without certificates, and for an MQTT door without the embedded broker. */
export function portsOf(config: GatewayConfig): Record<DoorName, Port> {
  const hasTls = tlsOf(config) !== undefined
  const isEmbedded = config.broker.kind === 'embedded'
  const portOf = (name: DoorName, port: Port): Port => {
    const asked = config.listen[name]
    const wants = asked !== undefined && asked !== 'off'
    if (wants && !isEmbedded && name in mqttPorts)
      throw new GatewayError(
        'CONFIG_INVALID',
        `listen.${name}: this door leads to the embedded broker; with broker.kind "${config.broker.kind}", devices connect to that one`,
      )
    if (wants && !hasTls && name in tlsPorts)
      throw new GatewayError('CONFIG_INVALID', `listen.${name}: this door needs certificates: give tls or certs (--certs)`)
    if (asked !== undefined) return asked
    return (name in mqttPorts && !isEmbedded) || (name in tlsPorts && !hasTls) ? 'off' : port
  }
  const ports = Object.entries({ ...mqttPorts, ...tlsPorts }).map(([name, port]) => [name, portOf(name as keyof typeof mqttPorts, port)])
  const { adminHost: _, ...given } = config.listen
  return { ...given, ...Object.fromEntries(ports) }
}

/** The names that requests without credentials may have in their Host header. */
export function allowedHostsOf({ allowHosts, host, listen }: GatewayConfig): readonly string[] {
  return [...allowHosts, host, listen.adminHost].filter((name) => isIP(name) === 0)
}

/** Whether only this machine reaches what listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || isLoopbackAddress(host)
}

export function tlsOf({ tls, certs }: GatewayConfig): TlsConfig | undefined {
  if (tls || certs === undefined) return tls
  return { cert: join(certs, 'server.pem'), key: join(certs, 'server.key'), ca: join(certs, 'ca.pem') }
}

export function thingsPathOf({ access, certs }: GatewayConfig): string | undefined {
  return access.things ?? (certs === undefined ? undefined : join(certs, 'things.json'))
}

/** Throws CONFIG_INVALID with every problem, one a line. */
export function parseConfig(value: unknown, where = 'config'): GatewayConfig {
  return parseAs(configSchema, value, where, invalidConfig)
}

/** Reads a JSON file, with `${NAME}` in its strings filled from the environment. */
export function readConfig(path: string, environment: Readonly<Record<string, string | undefined>> = process.env): unknown {
  return fill(readJsonFileSync(path, invalidConfig), path, environment)
}

/**
 * false: the environment variable WEIR_FAST_PATHS is `off`, and the gateway runs its general code only.
 * For tests and for narrowing down a fault: the results are the same.
 */
export function fastPathsOf(environment: Readonly<Record<string, string | undefined>> = process.env): boolean {
  const { WEIR_FAST_PATHS: value = 'on' } = environment
  if (value === 'on' || value === 'off') return value === 'on'
  throw new GatewayError('CONFIG_INVALID', `environment variable WEIR_FAST_PATHS: "${value}" is not known; write "on" or "off"`)
}

/** The queues and topics themselves, whether the config holds them or names their file. */
export function resourcesOf({ resources = bundled('resources.json') }: GatewayConfig): Resources {
  if (typeof resources !== 'string') return resources
  return parseAs(resourcesSchema, readJsonFileSync(resources, invalidConfig), resources, invalidConfig)
}

export function rulesDirOf({ rules }: Pick<GatewayConfig, 'rules'>): string {
  return rules.dir ?? bundled('rules')
}

function fill(value: unknown, path: string, environment: Readonly<Record<string, string | undefined>>): unknown {
  if (typeof value === 'string') {
    return value.replaceAll(/\$\{([A-Z_][A-Z0-9_]*)\}/g, (_, name: string) => {
      const found = environment[name]
      if (found === undefined) throw new GatewayError('CONFIG_INVALID', `${path}: environment variable ${name} is not set`)
      return found
    })
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, path, environment))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, path, environment)]))
}
