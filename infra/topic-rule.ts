// One rule file as an AWS::IoT::TopicRule: the same SQL, an action for each action with a role of its own, and an error action.
import { ArnFormat, Stack } from 'aws-cdk-lib'
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { CfnTopicRule } from 'aws-cdk-lib/aws-iot'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { CfnPermission } from 'aws-cdk-lib/aws-lambda'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { IQueue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { type ActionEntry, type ActionName, actionNameOf, namedTargetOf, nounOf } from '../gateway/actions/index.ts'
import type { RuleFile } from '../gateway/rules/rule-file.ts'
import { localActions } from '../gateway/template/actions.ts'
import { acknowledgeWildcards } from './acknowledge.ts'
import { createSender } from './functions.ts'
import { groupSourceOf } from './group.ts'
import { refuse } from './refuse.ts'

/** What the names in rule files stand for. */
export interface Targets {
  readonly queues: Readonly<Record<string, IQueue>>
  readonly topics: Readonly<Record<string, ITopic>>
  /** Of the topics. */
  readonly key: IKey
  /** Of `log` actions. */
  readonly logGroup: () => ILogGroup
}

type ActionProperty = CfnTopicRule.ActionProperty
type Params<N extends ActionName> = NonNullable<ActionEntry[N]>

interface Place extends Targets {
  readonly scope: Construct
  readonly rule: RuleFile
  readonly entry: ActionEntry
  /** `actions[0]`, for messages. */
  readonly at: string
}

/** The AWS action of each action here. A new action does not compile until it has a row. */
const mappings: { readonly [N in ActionName]: (params: Params<N>, place: Place) => ActionProperty } = {
  sqs({ queueUrl, useBase64, groupId, pack }, place) {
    const queue = targetIn(place.queues, place)
    if (pack) {
      throw refuse(place, 'sqs.pack', 'the rules engine of AWS hands over one message at a time, so nothing there can pack them')
    }
    if (groupId !== undefined) return { lambda: { functionArn: sendWithGroup(queueUrl, queue, groupId, useBase64, place) } }
    if (queue.fifo) throw refuse(place, 'sqs', `AWS cannot send to the FIFO queue ${queueUrl} without a groupId`)
    return { sqs: { queueUrl: queue.queueUrl, roleArn: roleFor(place, [allow('sqs:SendMessage', queue.queueArn)]), useBase64 } }
  },
  sns({ messageFormat, attributes }, place) {
    const topic = targetIn(place.topics, place)
    if (attributes) {
      throw refuse(
        place,
        'sns.attributes',
        "AWS's SNS action sets none; filter on the message body instead (filterPolicyScope MessageBody)",
      )
    }
    // An encrypted topic asks its publishers for the key as well [AWS sns-server-side-encryption].
    const useKey = allow(['kms:GenerateDataKey', 'kms:Decrypt'], place.key.keyArn)
    return { sns: { targetArn: topic.topicArn, messageFormat, roleArn: roleFor(place, [allow('sns:Publish', topic.topicArn), useKey]) } }
  },
  republish({ topic, qos, headers }, place) {
    const resource = topic.replace(/^\$\$/, '$').replaceAll(/\$\{[^}]*\}/g, '*')
    const arn = Stack.of(place.scope).formatArn({ service: 'iot', resource: 'topic', resourceName: resource })
    const roleArn = roleFor(place, [allow('iot:Publish', arn)])
    // Safe: what is left out is undefined there, and CDK leaves it out too.
    return { republish: { topic, qos, roleArn, ...(headers && { headers: headers as CfnTopicRule.RepublishActionHeadersProperty }) } }
  },
  http({ url, confirmationUrl, headers, timeoutMs }, place) {
    if (!/^https:\/\/[^/:]+(:443|:8443)?(\/|$)/.test(url) && !url.startsWith('${')) {
      throw refuse(place, 'http.url', 'AWS takes only https:// on port 443 or 8443')
    }
    if (timeoutMs !== 3_000) throw refuse(place, 'http.timeoutMs', 'it is 3000 on AWS and cannot be set')
    return { http: { url, ...(confirmationUrl !== undefined && { confirmationUrl }), headers } }
  },
  log(_, place) {
    const { logGroupArn, logGroupName } = place.logGroup()
    const write = ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents']
    return { cloudwatchLogs: { logGroupName, roleArn: roleFor(place, [allow(write, logGroupArn)]) } }
  },
}

export interface TopicRuleProps {
  readonly rule: RuleFile
  readonly targets: Targets
}

export class TopicRule extends Construct {
  /** What a device publishes under to reach this rule alone, without the price of a message. */
  readonly basicIngestPrefix: string

  constructor(scope: Construct, { rule, targets }: TopicRuleProps) {
    super(scope, `Rule-${rule.name}`)
    this.basicIngestPrefix = `$aws/rules/${rule.name}/`
    const toAction = (entry: ActionEntry, at: string): ActionProperty => {
      const place = { ...targets, scope: new Construct(this, at.replace(/\W/g, '')), rule, entry, at }
      const name = actionNameOf(entry)
      // Safe: the row and the parameters are of the same name.
      const mapping = mappings[name] as (params: unknown, place: Place) => ActionProperty
      return mapping(entry[name], place)
    }
    if (!rule.errorAction) {
      throw refuse({ rule, at: 'errorAction' }, 'it', 'is missing: without one AWS drops a message that an action fails on')
    }
    const resource = new CfnTopicRule(this, 'Resource', {
      ruleName: rule.name,
      topicRulePayload: {
        sql: rule.sql,
        awsIotSqlVersion: rule.awsIotSqlVersion,
        ruleDisabled: rule.ruleDisabled,
        ...(rule.description !== undefined && { description: rule.description }),
        actions: rule.actions.map((entry, index) => toAction(entry, `actions[${index}]`)),
        errorAction: toAction(rule.errorAction, 'errorAction'),
      },
    })
    // So that the template runs here too.
    const instead = rule.actions.flatMap((entry, index) => (entry.sqs?.groupId === undefined ? [] : [[index, entry] as const]))
    if (instead.length > 0) resource.addMetadata(localActions, Object.fromEntries(instead))
  }
}

/** AWS's SQS action has no message group, so a function of ours sends the message. */
function sendWithGroup(name: string, queue: IQueue, groupId: string, useBase64: boolean, place: Place): string {
  if (useBase64) throw refuse(place, 'sqs.useBase64', 'with a groupId the message goes through a Lambda function, which is given JSON only')
  const group = groupSourceOf(groupId, place.rule)
  if ('problem' in group) throw refuse(place, 'sqs.groupId', group.problem)
  const { errorAction } = place.rule
  if (place.at === 'errorAction') throw refuse(place, 'sqs.groupId', 'an error action gets the envelope of AWS, which has no field for it')
  if (!errorAction?.sqs) throw refuse(place, 'sqs.groupId', 'it needs an errorAction of sqs, for what the Lambda function could not send')
  const onFailure = targetIn(place.queues, { ...place, entry: errorAction, at: 'errorAction' })
  const sender = createSender(place.scope, { queue, queueName: name, group, onFailure })
  new CfnPermission(place.scope, 'Invoke', {
    action: 'lambda:InvokeFunction',
    functionName: sender.functionArn,
    principal: 'iot.amazonaws.com',
    sourceAccount: Stack.of(place.scope).account,
    sourceArn: ruleArn(place),
  })
  return sender.functionArn
}

/** The construct that the action's target means. */
function targetIn<T>(known: Readonly<Record<string, T>>, place: Place): T {
  const { text: name = '' } = namedTargetOf(place.entry) ?? {}
  const target = Object.hasOwn(known, name) ? known[name] : undefined
  if (target) return target
  throw refuse(
    place,
    `${nounOf(actionNameOf(place.entry))} "${name}"`,
    `is not in resources.json; known are ${Object.keys(known).join(', ')}`,
  )
}

/** One role per action, for this rule only, with what this action needs and nothing else. */
function roleFor(place: Place, statements: readonly PolicyStatement[]): string {
  const { scope } = place
  const assumedBy = new ServicePrincipal('iot.amazonaws.com', {
    conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account }, ArnEquals: { 'aws:SourceArn': ruleArn(place) } },
  })
  const role = new Role(scope, 'Role', { assumedBy, inlinePolicies: { Deliver: new PolicyDocument({ statements: [...statements] }) } })
  const wild = statements.flatMap(({ resources }) => resources).filter((resource) => resource.includes('*'))
  acknowledgeWildcards(role, wild, 'the topic to republish on holds a template, so its levels differ from message to message')
  return role.roleArn
}

function ruleArn({ scope, rule }: Pick<Place, 'scope' | 'rule'>): string {
  return Stack.of(scope).formatArn({ service: 'iot', resource: 'rule', resourceName: rule.name, arnFormat: ArnFormat.SLASH_RESOURCE_NAME })
}

function allow(actions: string | readonly string[], resource: string): PolicyStatement {
  return new PolicyStatement({ effect: Effect.ALLOW, actions: [actions].flat(), resources: [resource] })
}
