// One planted mistake for each thing the doctor looks for, on top of an estate in which it finds nothing.

export interface Fault {
  /** The one finding it must give. */
  readonly id: string
  /** Files that replace or join those of the healthy estate; a text is written as it is. */
  readonly files?: Readonly<Record<string, unknown>>
  readonly fleet?: {
    readonly devices?: number
    readonly intervalMs?: number
    readonly payloadBytes?: number
    readonly keepAliveSeconds?: number
  }
  readonly template?: true
  /** What AWS has instead of what the files say; null: nothing of that name. */
  readonly deployed?: {
    readonly queues?: Readonly<Record<string, object | null>>
    readonly topics?: Readonly<Record<string, readonly string[] | null>>
    readonly rules?: Readonly<Record<string, object | null>>
  }
}

const sql = "SELECT *, topic(2) AS tenant FROM 'dt/+/telemetry'"
const errorAction = { sqs: { queueUrl: 'rule-errors' } }

const rule = (change: Readonly<Record<string, unknown>> = {}) => ({
  name: 'telemetry',
  awsIotSqlVersion: '2016-03-23',
  sql,
  actions: [{ sqs: { queueUrl: 'telemetry' } }],
  errorAction,
  ...change,
})
const without = (value: Readonly<Record<string, unknown>>, key: string) =>
  Object.fromEntries(Object.entries(value).filter(([k]) => k !== key))
/** The rule with one more action. */
const also = (...actions: readonly unknown[]) => ({
  'rules/telemetry.json': rule({ actions: [{ sqs: { queueUrl: 'telemetry' } }, ...actions] }),
})

const resources = (queues: object = {}, topics: object = {}) => ({
  'resources.json': {
    queues: { telemetry: {}, 'rule-errors': {}, alerts: {}, ...queues },
    topics: { alerts: { queues: ['alerts'] }, ...topics },
  },
})

const arn = (name: string) => `arn:aws:iot:eu-west-1:111122223333:${name}`
const connect = {
  Effect: 'Allow',
  Action: 'iot:Connect',
  Resource: arn('client/${iot:Connection.Thing.ThingName}'),
  Condition: { Bool: { 'iot:Connection.Thing.IsAttached': 'true' } },
}
const talk = { Effect: 'Allow', Action: ['iot:Publish', 'iot:Receive'], Resource: arn('topic/dt/${iot:ClientId}/*') }
const policy = (...statements: readonly unknown[]) => ({
  'policies/device.json': { Version: '2012-10-17', Statement: [connect, talk, ...statements] },
})
const onlyPolicy = (...Statement: readonly unknown[]) => ({ 'policies/device.json': { Version: '2012-10-17', Statement } })

const config = (change: object) => ({ 'config.json': change })

const queue = (Properties: object) => ({ Type: 'AWS::SQS::Queue', Properties })
const templateRule = (change: object = {}) => ({
  Type: 'AWS::IoT::TopicRule',
  Properties: { RuleName: 'telemetry', TopicRulePayload: { Sql: sql, Actions: [], ErrorAction: { Sqs: {} }, ...change } },
})
const template = (Resources: object) => ({ template: true as const, files: { 'template.json': { Resources } } })
const redrive = (id: string) => ({ RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': [id, 'Arn'] }, maxReceiveCount: 5 } })
const deadLetters = queue({ MessageRetentionPeriod: 1_209_600 })

/** Nothing to find here. */
export const healthy: Readonly<Record<string, unknown>> = {
  'rules/telemetry.json': rule(),
  ...resources(),
  ...policy(),
  ...config({}),
  'template.json': { Resources: { Rule: templateRule(), Queue: queue(redrive('Dead')), Dead: deadLetters } },
}

export const faults: readonly Fault[] = [
  // files
  { id: 'not-json', files: { 'rules/broken.json': '{ "name": "broken", ' } },
  { id: 'sql-invalid', files: { 'rules/telemetry.json': rule({ sql: "SELECT * FROM dt/+/telemetry'" }) } },
  { id: 'sql-invalid', files: { 'rules/telemetry.json': rule({ sql: "SELECT * FROM 'dt/#/telemetry'" }) } },
  { id: 'sql-function-unknown', files: { 'rules/telemetry.json': rule({ sql: "SELECT uper(name) AS n FROM 'dt/+/telemetry'" }) } },
  { id: 'rule-name', files: { 'rules/telemetry.json': rule({ name: 'my-rule.v2' }) } },
  { id: 'sql-version-unknown', files: { 'rules/telemetry.json': rule({ awsIotSqlVersion: '2016-03-24' }) } },
  { id: 'rule-too-many-actions', files: { 'rules/telemetry.json': rule({ actions: Array(11).fill({ sqs: { queueUrl: 'telemetry' } }) }) } },
  { id: 'republish-qos', files: also({ republish: { topic: 'out/x', qos: 2 } }) },
  { id: 'sns-message-format', files: also({ sns: { targetArn: 'alerts', messageFormat: 'XML' } }) },
  { id: 'sns-fifo', files: also({ sns: { targetArn: 'alerts.fifo' } }) },
  { id: 'fifo-group', files: also({ sqs: { queueUrl: 'doors.fifo' } }) },
  { id: 'queue-template', files: also({ sqs: { queueUrl: '${queue}' } }) },
  { id: 'http-url', files: also({ http: { url: 'ftp://example.com/in' } }) },
  { id: 'rule-shape', files: also({ kinesis: { streamName: 's' } }) },
  { id: 'policy-version', files: { 'policies/old.json': { Version: '2008-10-17', Statement: [talk] } } },
  {
    id: 'policy-too-long',
    files: {
      'policies/long.json': { Version: '2012-10-17', Statement: { ...talk, Resource: Array(50).fill(arn('topic/dt/${iot:ClientId}/x')) } },
    },
  },
  { id: 'policy-action', files: policy({ ...talk, Action: 'iot:${iot:ClientId}' }) },
  { id: 'policy-resource', files: policy({ ...talk, Resource: 'topic/dt/x' }) },
  { id: 'policy-shape', files: policy({ ...talk, Principal: '*' }) },
  { id: 'queue-name', files: resources({ 'not a name': {} }) },
  { id: 'queue-name', files: resources({ telemetry: { retentionSeconds: 5 } }) },
  { id: 'resources-shape', files: { 'resources.json': { streams: {} } } },
  {
    id: 'things-shape',
    files: { ...config({ access: { things: '{dir}/things.json' } }), 'things.json': { things: [{ thingName: 'a b' }] } },
  },
  { id: 'environment-missing', files: config({ host: '${WEIR_TEST_NOT_SET}' }) },
  { id: 'template-shape', template: true, files: { 'template.json': { resources: {} } } },
  { id: 'config-shape', files: config({ hots: '127.0.0.1' }) },

  // rules
  { id: 'rule-name-taken', files: { 'rules/twin.json': rule() } },
  { id: 'rule-too-large', files: { 'rules/telemetry.json': rule({ description: 'x'.repeat(131_072) }) } },
  {
    id: 'rules-too-many',
    files: Object.fromEntries(
      Array.from({ length: 1_000 }, (_, i) => [`rules/rule_${i}.json`, rule({ name: `rule_${i}`, sql: `SELECT a FROM 'x/${i}'` })]),
    ),
  },
  { id: 'rule-no-actions', files: { 'rules/telemetry.json': rule(), 'rules/idle.json': rule({ name: 'idle', actions: [] }) } },
  { id: 'rule-disabled', files: { 'rules/telemetry.json': rule({ ruleDisabled: true }) } },
  { id: 'error-action-missing', files: { 'rules/other.json': without(rule({ name: 'other' }), 'errorAction') } },
  { id: 'error-action-local', files: { 'rules/other.json': rule({ name: 'other', errorAction: { log: {} } }) } },

  // statements
  {
    id: 'sql-version-missing',
    files: { 'rules/telemetry.json': without(rule({ sql: "SELECT a FROM 'dt/+/telemetry'" }), 'awsIotSqlVersion') },
  },
  { id: 'sql-version-beta', files: { 'rules/telemetry.json': rule({ awsIotSqlVersion: 'beta' }) } },
  { id: 'filter-too-deep', files: { 'rules/telemetry.json': rule({ sql: "SELECT a FROM 'a/b/c/d/e/f/g/h/i'" }) } },
  { id: 'filter-reserved', files: { 'rules/telemetry.json': rule({ sql: "SELECT a FROM '$aws/rules/telemetry/x'" }) } },
  { id: 'filter-everything', files: { 'rules/telemetry.json': rule({ sql: "SELECT a FROM '#'" }) } },
  { id: 'filter-missing', files: { 'rules/telemetry.json': rule({ sql: 'SELECT a' }) } },
  {
    id: 'sql-external-function',
    files: {
      'rules/telemetry.json': rule({ sql: "SELECT get_thing_shadow('t', 'arn:aws:iam::111122223333:role/r') AS s FROM 'dt/+/telemetry'" }),
    },
  },
  { id: 'sql-topic-level', files: { 'rules/telemetry.json': rule({ sql: "SELECT topic(4) AS t FROM 'dt/+/telemetry'" }) } },
  { id: 'sql-warning', files: { 'rules/telemetry.json': rule({ sql: "SELECT abs(1, 2) AS a FROM 'dt/+/telemetry'" }) } },

  // actions
  { id: 'local-only-action', files: also({ log: {} }) },
  { id: 'local-only', files: { 'rules/telemetry.json': rule({ actions: [{ sqs: { queueUrl: 'telemetry', groupId: '${topic(2)}' } }] }) } },
  { id: 'local-only-refused', files: { 'rules/telemetry.json': rule({ actions: [{ sqs: { queueUrl: 'telemetry', pack: {} } }] }) } },
  { id: 'fifo-target', files: { ...also({ sqs: { queueUrl: 'doors.fifo', groupId: 'g' } }), ...resources({ 'doors.fifo': {} }) } },
  { id: 'group-not-deployable', files: also({ sqs: { queueUrl: 'telemetry', groupId: '${topic(3)}' } }) },
  { id: 'group-not-deployable', files: also({ sqs: { queueUrl: 'telemetry', groupId: '${topic(2)}-${topic(3)}' } }) },
  {
    id: 'group-not-deployable',
    files: {
      'rules/telemetry.json': rule({
        sql: "SELECT topic(2) AS t, * FROM 'dt/+/x'",
        actions: [{ sqs: { queueUrl: 'telemetry', groupId: '${topic(2)}' } }],
      }),
    },
  },
  { id: 'queue-unknown', files: also({ sqs: { queueUrl: 'telemetri' } }) },
  { id: 'queue-unknown', files: also({ sqs: { queueUrl: 'shard-${topic(2)}' } }) },
  { id: 'queue-url', files: also({ sqs: { queueUrl: 'http://127.0.0.1:4566/000000000000/telemetry' } }) },
  { id: 'topic-unknown', files: also({ sns: { targetArn: 'alarms' } }) },
  { id: 'topic-arn', files: also({ sns: { targetArn: 'arn:aws:sns:eu-west-1:alerts' } }) },
  {
    id: 'sns-json-default',
    files: {
      'rules/a.json': rule({ name: 'a', sql: "SELECT a FROM 'x'", actions: [{ sns: { targetArn: 'alerts', messageFormat: 'JSON' } }] }),
    },
  },
  { id: 'role-arn', files: also({ sqs: { queueUrl: 'telemetry', roleArn: 'my-role' } }) },
  { id: 'template-invalid', files: also({ republish: { topic: 'out/${topic(}' } }) },
  { id: 'base64-of-json', files: also({ sqs: { queueUrl: 'telemetry', useBase64: true } }) },
  { id: 'bytes-as-text', files: { 'rules/raw.json': rule({ name: 'raw', sql: "SELECT * FROM 'raw/x'" }) } },
  { id: 'http-not-https', files: also({ http: { url: 'https://example.com:9000/in' } }) },

  // republish
  { id: 'republish-reserved', files: also({ republish: { topic: '$aws/things/t/shadow/update' } }) },
  { id: 'republish-reserved', files: also({ republish: { topic: '$$aws/things/t/jobs/get' } }) },
  { id: 'republish-topic', files: also({ republish: { topic: 'out/+/x' } }) },
  { id: 'republish-topic', files: also({ republish: { topic: 'a/b/c/d/e/f/g/h/${topic(2)}' } }) },
  { id: 'republish-loop', files: also({ republish: { topic: 'dt/x/telemetry' } }) },
  { id: 'republish-loop-possible', files: also({ republish: { topic: '${topic()}' } }) },
  { id: 'republish-loop-possible', files: also({ republish: { topic: 'dt/${topic(2)}/telemetry' } }) },

  // queues and topics
  { id: 'queue-without-dlq', ...template({ Rule: templateRule(), Queue: queue({}) }) },
  {
    id: 'dlq-retention',
    ...template({ Rule: templateRule(), Queue: queue({ ...redrive('Dead'), MessageRetentionPeriod: 1_209_600 }), Dead: deadLetters }),
  },
  { id: 'dlq-retention', files: resources({ telemetry: { retentionSeconds: 1_209_600 } }) },
  { id: 'max-receive-count', files: resources({ telemetry: { maxReceiveCount: 1 } }) },
  { id: 'fifo-suffix', files: { ...resources({ 'doors-fifo': {} }), ...also({ sqs: { queueUrl: 'doors-fifo' } }) } },
  {
    id: 'fifo-content-deduplication',
    ...template({
      Rule: templateRule(),
      Queue: queue({ ...redrive('Dead'), FifoQueue: true, ContentBasedDeduplication: true }),
      Dead: deadLetters,
    }),
  },
  {
    id: 'queue-message-size',
    ...template({ Rule: templateRule(), Queue: queue({ ...redrive('Dead'), MaximumMessageSize: 65_536 }), Dead: deadLetters }),
  },
  { id: 'queue-unused', files: resources({ forgotten: {} }) },
  { id: 'topic-without-subscribers', files: resources({}, { silent: {} }) },
  { id: 'subscription-queue-unknown', files: resources({}, { alerts: { queues: ['alerts', 'alarms'] } }) },
  { id: 'subscription-fifo', files: resources({ 'doors.fifo': {} }, { alerts: { queues: ['alerts', 'doors.fifo'] } }) },

  // policies and things
  { id: 'policy-action-unknown', files: policy({ ...talk, Action: ['iot:Publish', 'iot:Recieve'] }) },
  { id: 'policy-resource-unknown', files: policy({ ...talk, Resource: [arn('topic/x'), 'arn:aws:sqs:eu-west-1:111122223333:telemetry'] }) },
  { id: 'policy-never-matches', files: policy({ ...talk, Action: 'iot:Subscribe', Resource: arn('topic/dt/x') }) },
  { id: 'policy-mqtt-wildcard', files: policy({ ...talk, Resource: arn('topic/dt/+/telemetry') }) },
  { id: 'policy-action-wide', files: policy({ ...talk, Action: 'iot:*' }) },
  { id: 'policy-resource-wide', files: policy({ ...talk, Resource: '*' }) },
  { id: 'policy-variable-unknown', files: policy({ ...talk, Resource: arn('topic/dt/${iot:ThingName}/*') }) },
  { id: 'policy-no-connect', files: onlyPolicy(talk) },
  {
    id: 'policy-no-receive',
    files: onlyPolicy(connect, { ...talk, Action: 'iot:Subscribe', Resource: arn('topicfilter/cmd/${iot:ClientId}') }),
  },
  { id: 'policy-thing-unattached', files: onlyPolicy(without(connect, 'Condition'), talk) },
  {
    id: 'thing-without-principal',
    files: { ...config({ access: { things: '{dir}/things.json' } }), 'things.json': { things: [{ thingName: 'freezer-1' }] } },
  },

  // the gateway
  {
    id: 'door-without-tls',
    files: { ...config({ host: '0.0.0.0', access: { things: '{dir}/things.json' } }), 'things.json': {} },
  },
  {
    id: 'admin-public',
    files: config({ listen: { adminHost: '10.0.0.7' } }),
  },
  { id: 'tls-missing', files: config({ listen: { mqtts: 8883 } }) },
  {
    id: 'nobody-may-connect',
    files: config({ host: '0.0.0.0', listen: { mqtt: 'off', mqttWs: 'off', http: 'off', websocket: 'off' } }),
  },
  { id: 'limits-looser', files: config({ access: { limits: { payloadBytes: 1_000_000 } } }) },
  { id: 'limits-looser', files: config({ access: { limits: 'none' } }) },
  { id: 'consumer-queue-unknown', files: config({ consumers: [{ queue: 'telemetrie', handler: { kind: 'log' } }] }) },
  { id: 'consumer-gives-up-late', files: config({ consumers: [{ queue: 'telemetry', handler: { kind: 'log' }, maxReceives: 11 }] }) },
  { id: 'visibility-timeout', files: config({ consumers: [{ queue: 'telemetry', handler: { kind: 'log' }, handlerTimeout: '10s' }] }) },

  // secrets
  {
    id: 'secret-in-file',
    files: also({ http: { url: 'https://example.com/in', headers: [{ key: 'authorization', value: 'Bearer abcdefghijklmnop' }] } }),
  },
  { id: 'secret-in-file', files: { 'rules/telemetry.json': rule({ description: 'key AKIAABCDEFGHIJKLMNOP' }) } },

  // the fleet
  { id: 'fleet-over-quota', fleet: { devices: 10, payloadBytes: 200_000 } },
  { id: 'fleet-over-quota', fleet: { devices: 10, intervalMs: 5, payloadBytes: 10 } },
  { id: 'fleet-headroom', fleet: { devices: 10, payloadBytes: 120_000 } },
  { id: 'fleet-reconnect', fleet: { devices: 40_000 } },
  { id: 'fleet-keep-alive', fleet: { devices: 10, keepAliveSeconds: 10 } },

  // the template
  {
    id: 'template-rule-missing',
    ...template({ Rule: { ...templateRule(), Properties: { RuleName: 'other', TopicRulePayload: { ErrorAction: {} } } } }),
  },
  { id: 'template-sql-differs', ...template({ Rule: templateRule({ Sql: "SELECT * FROM 'x'" }) }) },
  { id: 'template-error-action-missing', ...template({ Rule: templateRule({ ErrorAction: undefined }) }) },

  // what is deployed
  { id: 'deployed-queue-missing', deployed: { queues: { alerts: null } } },
  { id: 'deployed-queue-differs', deployed: { queues: { telemetry: { retentionSeconds: 60 } } } },
  { id: 'deployed-queue-differs', deployed: { queues: { telemetry: { visibilityTimeoutSeconds: 5 } } } },
  { id: 'queue-without-dlq', deployed: { queues: { telemetry: { redrive: undefined } } } },
  { id: 'deployed-topic-missing', deployed: { topics: { alerts: null } } },
  { id: 'deployed-subscription-missing', deployed: { topics: { alerts: [] } } },
  { id: 'deployed-rule-missing', deployed: { rules: { telemetry: null } } },
  { id: 'deployed-rule-differs', deployed: { rules: { telemetry: { sql: "SELECT * FROM 'x'" } } } },
  { id: 'deployed-rule-differs', deployed: { rules: { telemetry: { awsIotSqlVersion: undefined } } } },
  { id: 'deployed-rule-differs', deployed: { rules: { telemetry: { ruleDisabled: true } } } },
]
