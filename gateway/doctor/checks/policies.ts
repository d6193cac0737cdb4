// What AWS accepts in a policy and nobody should: names that mean nothing, statements that match nothing, rights too wide, rights missing.
import { nearest } from '../../../lib/nearest.ts'
import { listOf, type PolicyDocument, type PolicyStatement } from '../../access/policy-document.ts'
import { compileKey, type PolicyContext, parseTemplate, variablesIn } from '../../access/policy-variables.ts'
import { compilePattern } from '../../access/wildcards.ts'
import type { CheckTable } from '../check.ts'
import type { Estate } from '../estate.ts'

type ResourceType = 'client' | 'topic' | 'topicfilter' | 'thing' | 'rolealias' | 'job' | '*'

/** [AWS IoT Core policy actions; action resources] */
const actions: Readonly<Record<string, ResourceType>> = {
  'iot:Connect': 'client',
  'iot:Publish': 'topic',
  'iot:RetainPublish': 'topic',
  'iot:Subscribe': 'topicfilter',
  'iot:Receive': 'topic',
  'iot:GetRetainedMessage': 'topic',
  'iot:ListRetainedMessages': '*',
  'iot:GetThingShadow': 'thing',
  'iot:UpdateThingShadow': 'thing',
  'iot:DeleteThingShadow': 'thing',
  'iot:ListNamedShadowsForThing': '*',
  'iot:DescribeJobExecution': 'thing',
  'iot:GetPendingJobExecutions': 'thing',
  'iot:UpdateJobExecution': 'thing',
  'iot:StartNextPendingJobExecution': 'thing',
  'iotjobsdata:DescribeJobExecution': 'thing',
  'iotjobsdata:GetPendingJobExecutions': 'thing',
  'iotjobsdata:UpdateJobExecution': 'thing',
  'iotjobsdata:StartNextPendingJobExecution': 'thing',
  'iot:AssumeRoleWithCertificate': 'rolealias',
  'iot:DeleteConnection': 'client',
  'iot:GetConnection': 'client',
  'iot:ListSubscriptions': 'client',
}
const actionNames = Object.keys(actions)
const hasWildcard = (text: string) => /[*?]/.test(text)

interface Placed {
  readonly file: string
  readonly field: string
  readonly statement: PolicyStatement
  /** The known actions it covers. */
  readonly covers: readonly string[]
}

const covered = (pattern: string) => {
  const matches = compilePattern(parseTemplate(pattern.toLowerCase()).resolve({})!)
  return actionNames.filter((name) => matches(name.toLowerCase()))
}

function statementsIn({ policies }: Pick<Estate, 'policies'>): readonly Placed[] {
  return policies.flatMap(({ path: file, document }) => {
    const many = Array.isArray(document.Statement)
    return listOf(document.Statement).map((statement, index) => ({
      file,
      statement,
      field: many ? `Statement[${index}]` : 'Statement',
      covers: statement.NotAction
        ? actionNames.filter((name) => !listOf(statement.NotAction).flatMap(covered).includes(name))
        : [...new Set(listOf(statement.Action).flatMap(covered))],
    }))
  })
}

/** `arn:aws:iot:eu-west-1:111122223333:topic/a/b` → `['topic', 'a/b']`; undefined for what is no ARN of AWS IoT. */
function partsOf(arn: string): readonly [type: string, name: string] | undefined {
  const [, type, name] = /^arn:[^:]*:iot:[^:]*:[^:]*:([^/]+)\/(.*)$/s.exec(arn) ?? []
  return type === undefined || name === undefined ? undefined : [type, name]
}

/** Every fact there can be, so that what stays without a value is no variable at all. */
const everything: PolicyContext = {
  clientId: 'c',
  thing: { name: 'c', attachedToPrincipal: true, thingTypeName: 't', attributes: new Proxy({}, attributesOf()) },
  certificate: {
    CertificateId: 'i',
    SerialNumber: 's',
    AvailableKeys: 'k',
    Subject: new Proxy({}, valuesOf()),
    Issuer: new Proxy({}, valuesOf()),
  },
  sourceIp: '127.0.0.1',
  domainName: 'd',
  connectAttributes: ['LastWill'],
  lastWillTopic: 'w',
  now: () => 0,
}

function attributesOf(): ProxyHandler<object> {
  return { get: () => 'v', getOwnPropertyDescriptor: () => ({ value: 'v', configurable: true, enumerable: true }), has: () => true }
}

const certificateFields = [
  ...['DistinguishedNameQualifier', 'Country', 'Organization', 'OrganizationalUnit', 'State', 'CommonName', 'SerialNumber', 'Title'],
  ...['Surname', 'GivenName', 'Initials', 'Pseudonym', 'GenerationQualifier', 'AlternativeName.RFC822Name', 'AlternativeName.DNSName'],
  ...['AlternativeName.DirectoryName', 'AlternativeName.UniformResourceIdentifier', 'AlternativeName.IPAddress'],
]

function valuesOf(): ProxyHandler<object> {
  const values = ['v', 'v', 'v', 'v', 'v']
  return {
    ownKeys: () => certificateFields,
    get: () => values,
    getOwnPropertyDescriptor: () => ({ value: values, configurable: true, enumerable: true }),
  }
}

const usesThing = ({ statement }: Placed) => /iot:Connection\.Thing\.(?!IsAttached)/i.test(JSON.stringify(statement))
const requiresAttachment = ({ statement }: Placed) => /iot:Connection\.Thing\.IsAttached/i.test(JSON.stringify(statement.Condition ?? {}))
const allows = (document: PolicyDocument, action: string) =>
  statementsIn({ policies: [{ path: '', document }] }).some(
    ({ statement, covers }) => statement.Effect === 'Allow' && covers.includes(action),
  )

export const policyChecks = {
  'policy-action-unknown': {
    severity: 'error',
    means: 'an action AWS IoT does not check: the statement never applies to it',
    fix: 'use an action of AWS IoT Core, such as iot:Connect, iot:Publish, iot:Subscribe or iot:Receive',
    *find(estate) {
      for (const { file, field, statement } of statementsIn(estate)) {
        for (const action of listOf(statement.Action ?? statement.NotAction)) {
          if (covered(action).length > 0) continue
          const meant = nearest(action, actionNames)
          yield {
            file,
            field: `${field}.Action`,
            text: `action ${action} does not exist in AWS IoT${meant ? `; did you mean ${meant}?` : ''}`,
          }
        }
      }
    },
  },
  'policy-resource-unknown': {
    severity: 'error',
    means: 'a resource that is no client, topic, topicfilter, thing or rolealias of AWS IoT',
    fix: 'write arn:aws:iot:<region>:<account>:topic/… or topicfilter/…, client/…, thing/…',
    *find(estate) {
      for (const { file, field, statement } of statementsIn(estate)) {
        for (const resource of listOf(statement.Resource ?? statement.NotResource)) {
          const [type] = partsOf(resource) ?? []
          const known = type !== undefined && (hasWildcard(type) || Object.values(actions).includes(type as ResourceType))
          if (!known && !/^(\*|arn:.*\*)$/s.test(resource))
            yield { file, field: `${field}.Resource`, text: `${resource} names nothing of AWS IoT` }
        }
      }
    },
  },
  'policy-never-matches': {
    severity: 'warning',
    means: 'an action whose statement has no resource of its kind, such as iot:Subscribe on topic/: it matches nothing',
    fix: 'iot:Connect takes client/…, iot:Subscribe topicfilter/…, iot:Publish and iot:Receive topic/…',
    *find(estate) {
      for (const { file, field, statement } of statementsIn(estate)) {
        if (statement.Resource === undefined) continue
        const types = listOf(statement.Resource).map((resource) => partsOf(resource)?.[0] ?? '*')
        for (const action of listOf(statement.Action).filter((name) => !hasWildcard(name))) {
          const wanted = covered(action)[0] && actions[covered(action)[0]!]
          if (wanted === undefined || wanted === '*' || types.some((type) => hasWildcard(type) || type === wanted)) continue
          yield { file, field: `${field}.Resource`, text: `${action} needs a resource ${wanted}/…, and there is none` }
        }
      }
    },
  },
  'policy-mqtt-wildcard': {
    severity: 'warning',
    means: 'an MQTT wildcard in a topic/ resource, where + and # are themselves: no topic has them, so it matches nothing',
    fix: 'use * in topic/ resources; + and # belong in topicfilter/',
    *find(estate) {
      for (const { file, field, statement } of statementsIn(estate)) {
        for (const resource of listOf(statement.Resource)) {
          const [type, name = ''] = partsOf(resource) ?? []
          if (type === 'topic' && /(^|\/)[+#](\/|$)/.test(name))
            yield { file, field: `${field}.Resource`, text: `+ and # stand for themselves in topic/${name}` }
        }
      }
    },
  },
  'policy-action-wide': {
    severity: 'warning',
    means: 'Allow of all actions',
    fix: 'name the actions',
    *find(estate) {
      for (const { file, field, statement } of statementsIn(estate)) {
        if (statement.Effect !== 'Allow') continue
        for (const action of listOf(statement.Action))
          if (/^(\*|iot:\*)$/i.test(action)) yield { file, field: `${field}.Action`, text: `${action} allows everything, now and later` }
        if (statement.NotAction) yield { file, field: `${field}.NotAction`, text: 'Allow with NotAction allows whatever AWS adds later' }
      }
    },
  },
  'policy-resource-wide': {
    severity: 'warning',
    means: 'Allow on all resources: one stolen certificate speaks for every device',
    fix: 'put ${iot:Connection.Thing.ThingName} or ${iot:ClientId} into the resource',
    *find(estate) {
      for (const { file, field, statement, covers } of statementsIn(estate)) {
        const hasResource = covers.some((action) => actions[action] !== '*')
        if (statement.Effect !== 'Allow' || !hasResource) continue
        for (const resource of listOf(statement.Resource)) {
          const [, name] = partsOf(resource) ?? []
          if (resource === '*' || name === '*' || (name === undefined && resource.endsWith('*')))
            yield { file, field: `${field}.Resource`, text: `${resource} covers every device of the account` }
        }
      }
    },
  },
  'policy-variable-unknown': {
    severity: 'error',
    means: 'a policy variable that does not exist: what needs it matches nothing',
    fix: 'see the variables in docs/mqtt.md; ${iot:ClientId} and ${iot:Connection.Thing.ThingName} are the usual ones',
    *find({ policies }) {
      for (const { path, document } of policies) {
        for (const name of variablesIn(JSON.stringify(document))) {
          if (compileKey(name).substitute(everything) === undefined)
            yield { file: path, text: `policy variable \${${name}} does not exist` }
        }
      }
    },
  },
  'policy-no-connect': {
    severity: 'error',
    means: 'policies that let nobody connect: other rights are of no use over MQTT',
    fix: 'allow iot:Connect on client/${iot:Connection.Thing.ThingName}',
    *find({ policies }) {
      const [first] = policies
      if (first && !policies.some(({ document }) => allows(document, 'iot:Connect')))
        yield {
          file: first.path,
          text: policies.length === 1 ? 'it allows no iot:Connect' : `none of these ${policies.length} allows iot:Connect`,
        }
    },
  },
  'policy-no-receive': {
    severity: 'warning',
    means: 'a right to subscribe without one to receive: deliveries are dropped without a word',
    fix: 'allow iot:Receive on the topics',
    *find({ policies }) {
      if (policies.some(({ document }) => allows(document, 'iot:Receive'))) return
      for (const { path, document } of policies)
        if (allows(document, 'iot:Subscribe')) yield { file: path, text: 'it allows iot:Subscribe, and nothing allows iot:Receive' }
    },
  },
  'policy-thing-unattached': {
    severity: 'warning',
    means: 'thing variables without asking whether the certificate is attached: any certificate with that client id speaks for the thing',
    fix: 'add to iot:Connect "Condition": { "Bool": { "iot:Connection.Thing.IsAttached": "true" } }',
    *find(estate) {
      for (const placed of statementsIn(estate)) {
        const { file, field, statement, covers } = placed
        if (statement.Effect === 'Allow' && covers.includes('iot:Connect') && usesThing(placed) && !requiresAttachment(placed))
          yield { file, field, text: 'it trusts the client id for the thing' }
      }
    },
  },
  'thing-without-principal': {
    severity: 'warning',
    means: 'a registered thing that no certificate, user or token may speak for',
    fix: 'list its certificate id under principals',
    *find({ things }) {
      for (const [index, thing] of (things?.file.things ?? []).entries()) {
        if (thing.principals.length === 0)
          yield { file: things!.path, field: `things[${index}].principals`, text: `nobody may speak for ${thing.thingName}` }
      }
    },
  },
} as const satisfies CheckTable
