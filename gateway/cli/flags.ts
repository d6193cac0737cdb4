// The flags that `weir gateway` and `weir up` share, and how they override the config file.
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { GatewayConfigInput } from '../config.ts'
import type { Port } from '../listen/door.ts'
import { toCount } from './arguments.ts'

export interface GatewayFlags {
  readonly host?: string
  readonly allowHost?: string[]
  readonly mqttPort?: Port
  readonly mqttsPort?: Port
  readonly mqttWsPort?: Port
  readonly mqttWssPort?: Port
  readonly httpPort?: Port
  readonly httpsPort?: Port
  readonly websocketPort?: Port
  readonly websocketsPort?: Port
  readonly certs?: string
  readonly adminPort?: Port
  readonly adminHost?: string
  readonly broker?: string
  readonly brokerFilter?: string[]
  readonly brokerGroup?: string
  readonly brokerConnections?: number
  readonly brokerCa?: string
  readonly brokerCert?: string
  readonly brokerKey?: string
  readonly awsEndpoint?: string
  readonly awsPort?: number
  readonly dataDir?: string
  readonly rules?: string
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}

export function addGatewayFlags(command: Command): Command {
  return command
    .option('--host <address>', 'address to listen on, but for the admin port (default: 127.0.0.1)')
    .option('--mqtt-port <port>', 'MQTT (default: 1883; 0 = any free, off = none)', toPort)
    .option('--mqtts-port <port>', 'MQTT over TLS (default: 8883 with --certs, else off)', toPort)
    .option('--mqtt-ws-port <port>', 'MQTT over WebSocket, path /mqtt (default: 8083)', toPort)
    .option('--mqtt-wss-port <port>', 'the same over TLS (default: 8084 with --certs, else off)', toPort)
    .option('--http-port <port>', 'HTTP, POST /topics/<topic>?qos= (default: 8081)', toPort)
    .option('--https-port <port>', 'the same over TLS (default: 8443 with --certs, else off)', toPort)
    .option('--websocket-port <port>', 'WebSocket, JSON frames (default: 8082)', toPort)
    .option('--websockets-port <port>', 'the same over TLS (default: off)', toPort)
    .option('--certs <dir>', 'a folder that `weir certs mint` wrote: opens the TLS doors to the devices in it')
    .option('--admin-port <port>', 'admin HTTP: health, metrics, ledger (default: 8080)', toPort)
    .option('--admin-host <address>', 'address of the admin port, whatever --host says: it has no login (default: 127.0.0.1)')
    .option('--allow-host <name>', 'host name that requests without credentials may use, as in compose; repeatable', collect)
    .option('--aws-endpoint <where>', 'SQS and SNS: embedded, aws, or a URL (default: embedded)')
    .option('--aws-port <port>', 'port of the embedded SQS and SNS (default: 4566; 0 = any free)', toPortNumber)
    .option('--data-dir <dir>', 'spool, log and persisted queues (default: .weir)')
    .option('--rules <dir>', 'directory of rule files (default: the cold chain demo)')
    .addOption(new Option('--log-level <level>', 'least important level written').choices(['debug', 'info', 'warn', 'error', 'silent']))
}

/** For a gateway without a fleet of its own, which would connect to the embedded broker. */
export function addBrokerFlags(command: Command): Command {
  return command
    .option('--broker <url>', 'consume from this broker, mqtt(s)://[user@]host:port, instead of the embedded one')
    .option('--broker-filter <filter...>', 'topic filters to subscribe to there (default: #)')
    .option('--broker-group <name>', 'share its messages with all gateways that name this group')
    .option('--broker-connections <n>', 'connections to it (default: 1); more need a group', toCount)
    .option('--broker-ca <file>', "certificates that sign the broker's")
    .option('--broker-cert <file>', 'client certificate')
    .option('--broker-key <file>', 'its private key')
}

/** The config file's values with the flags on top. */
export function withFlags(file: GatewayConfigInput, flags: GatewayFlags): GatewayConfigInput {
  const { host, allowHost: allowHosts, certs, awsEndpoint, awsPort, dataDir, rules, logLevel } = flags
  const ports = {
    ...{ mqtt: flags.mqttPort, mqtts: flags.mqttsPort, mqttWs: flags.mqttWsPort, mqttWss: flags.mqttWssPort },
    ...{ http: flags.httpPort, https: flags.httpsPort, websocket: flags.websocketPort, websockets: flags.websocketsPort },
    ...{ admin: flags.adminPort, adminHost: flags.adminHost },
  }
  return {
    ...file,
    ...given({ host, allowHosts, dataDir, certs }),
    ...given({ broker: brokerOf(file.broker, flags) }),
    listen: { ...file.listen, ...given(ports) },
    aws: { ...file.aws, ...given({ endpoint: awsEndpoint }) },
    local: { ...file.local, ...given({ port: awsPort }) },
    rules: { ...file.rules, ...given({ dir: rules }) },
    log: { ...file.log, ...given({ level: logLevel }) },
  }
}

/** Flags of a broker fill in or override what the file says of it; a URL makes it one of kind `upstream`. */
function brokerOf(file: GatewayConfigInput['broker'], flags: GatewayFlags): GatewayConfigInput['broker'] {
  const { broker, brokerFilter: filters, brokerGroup: group, brokerConnections: connections } = flags
  const tls = given({ ca: flags.brokerCa, cert: flags.brokerCert, key: flags.brokerKey })
  const more = given({ filters, group, connections })
  if (broker === undefined && Object.keys({ ...tls, ...more }).length === 0) return file
  const known = file?.kind === 'upstream' ? file : undefined
  const secure = Object.keys(tls).length > 0 ? { tls: { ...known?.tls, ...tls } } : {}
  // What is missing or does not fit is told by the schema.
  if (broker === undefined)
    return { kind: 'upstream', ...file, ...more, ...(file?.kind === 'iot-core' ? tls : secure) } as GatewayConfigInput['broker']
  return { ...known, kind: 'upstream', url: broker, ...more, ...secure }
}

function collect(name: string, names: readonly string[] = []): string[] {
  return [...names, name]
}

function toPort(text: string): Port {
  return text === 'off' ? 'off' : toPortNumber(text)
}

function toPortNumber(text: string): number {
  const port = Number(text)
  if (text.trim() === '' || !Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError('a port is 0 to 65535')
  return port
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function given<T extends object>(values: T): Given<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Given<T>
}
