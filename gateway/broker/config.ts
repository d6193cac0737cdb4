// Where messages come from: devices that connect here, or somebody else's broker.
import { z } from 'zod'

const path = z.string().min(1)

const filterSchema = z
  .string()
  .min(1)
  .refine((filter) => !filter.startsWith('$share/'), 'a filter without $share/; give the group in `group`')

/** What both kinds of foreign broker need to know. */
const remote = {
  group: z
    .string()
    .regex(/^[^/+#]{1,128}$/, 'a group name has no /, + or #, and at most 128 characters')
    .optional()
    .describe(
      'share the messages of every filter with all that name this group ($share/<group>/<filter>): several gateways, several connections',
    ),
  connections: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe('connections to the broker; more than one needs `group`, else each would get every message'),
  clientId: z
    .string()
    .regex(/^[^\0+#/]{1,120}$/, 'a client id has no /, + or #, and at most 120 characters')
    .optional()
    .describe(
      'names the session that the broker keeps while the gateway is away; made once and kept in `dataDir` where left out. Connection n > 1 adds -n',
    ),
  maxInFlight: z
    .int()
    .min(1)
    .max(65_535)
    .default(1_000)
    .describe('messages of one connection that may wait for their acknowledgement (MQTT 5: Receive Maximum)'),
  sessionExpirySeconds: z
    .int()
    .min(0)
    .max(0xffff_ffff)
    .default(86_400)
    .describe('how long the broker keeps the session of a gateway that is away (MQTT 5); 4294967295 = for ever'),
  keepAliveSeconds: z.int().min(5).max(65_535).default(30).describe('silence after which each side asks whether the other is there'),
  clientIdTopicLevel: z
    .int()
    .min(1)
    .max(32)
    .nullable()
    .default(5)
    .describe('the topic level, counted from 1, that names the device: a broker does not tell who published; null where topics name none'),
  tenant: z
    .string()
    .min(1)
    .optional()
    .describe('the tenant of everything from this broker; else `access.tenantTopicLevel` says which topic level names it'),
}

export const embeddedSchema = z.strictObject({
  kind: z.literal('embedded').describe('devices connect to the broker inside the gateway'),
})

export const upstreamSchema = z.strictObject({
  kind: z.literal('upstream').describe('the gateway consumes from any MQTT broker'),
  url: z
    .string()
    .refine((url) => /^(mqtts?|wss?):$/.test(schemeOf(url)), 'a URL such as mqtts://broker.example:8883; mqtt, mqtts, ws or wss')
    .describe('where the broker is: mqtt://, mqtts://, ws:// or wss://'),
  filters: z.array(filterSchema).min(1).default(['#']).describe('topic filters to subscribe to, at QoS 1'),
  protocolVersion: z.enum(['5', '3.1.1']).default('5').describe('version of MQTT'),
  username: z.string().optional().describe('user name'),
  password: z.string().optional().describe('password; write "${NAME}" to take it from the environment'),
  passwordFile: path.optional().describe('path of a file with the password, read at every connect'),
  tls: z
    .strictObject({
      ca: path.optional().describe("path of the certificates that sign the broker's, PEM; the public ones where left out"),
      cert: path.optional().describe('path of the client certificate, PEM'),
      key: path.optional().describe('path of its private key, PEM'),
    })
    .optional()
    .describe('certificates for mqtts and wss'),
  ...remote,
})

export const iotCoreSchema = z.strictObject({
  kind: z.literal('iot-core').describe('the gateway consumes from AWS IoT Core, over MQTT 5 with a certificate'),
  endpoint: z.string().min(1).describe('host name of the data endpoint: <prefix>-ats.iot.<region>.amazonaws.com'),
  port: z.int().min(1).max(65_535).default(8_883).describe('8883, or 443'),
  filters: z.array(filterSchema).min(1).max(50).describe('topic filters to subscribe to, at QoS 1; every delivery is billed'),
  cert: path.describe('path of the client certificate, PEM'),
  key: path.describe('path of its private key, PEM'),
  ca: path.optional().describe("path of the certificates that sign the broker's, PEM; Amazon's where left out"),
  ...remote,
})

export const brokerSchema = z.discriminatedUnion('kind', [embeddedSchema, upstreamSchema, iotCoreSchema]).superRefine((config, context) => {
  if (config.kind === 'embedded') return
  const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message })
  if (config.connections > 1 && config.group === undefined) {
    refuse('connections', 'several connections need a group, else each would get every message')
  }
  if (config.kind === 'iot-core') return
  if (config.password !== undefined && config.passwordFile !== undefined) refuse('password', 'give a password or a file with one, not both')
  if ((config.tls?.cert === undefined) !== (config.tls?.key === undefined)) refuse('tls', 'a certificate and its key go together')
  if (config.tls && /^(mqtt|ws):$/.test(schemeOf(config.url))) refuse('url', 'certificates need mqtts:// or wss://')
  if (URL.parse(config.url)?.password) refuse('url', 'a password in a URL ends up in logs; use password or passwordFile')
})

export type BrokerConfig = z.infer<typeof brokerSchema>
export type UpstreamConfig = z.infer<typeof upstreamSchema>
export type IotCoreConfig = z.infer<typeof iotCoreSchema>
/** A broker of somebody else. */
export type RemoteConfig = UpstreamConfig | IotCoreConfig

function schemeOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : ''
}
