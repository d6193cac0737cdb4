// Who a device is: its thing type, what it may do, and how a new one gets its certificate.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Stack } from 'aws-cdk-lib'
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { CfnPolicy, CfnProvisioningTemplate, CfnThingType } from 'aws-cdk-lib/aws-iot'
import { Construct } from 'constructs'
import { parsePolicyDocument } from '../gateway/access/policy-document.ts'
import { acknowledgeWildcards } from './acknowledge.ts'

/** The account and Region of policy files: those of a gateway on a laptop. */
const localArn = 'arn:aws:iot:us-east-1:000000000000:'

export interface IdentityProps {
  readonly policyDir: string
}

export class Identity extends Construct {
  readonly provisioningTemplateName: string

  constructor(scope: Construct, { policyDir }: IdentityProps) {
    super(scope, 'Identity')
    const stack = Stack.of(this)
    const thingType = new CfnThingType(this, 'Device', {
      thingTypeName: `${stack.stackName}-device`,
      thingTypeProperties: { thingTypeDescription: 'A device of a tenant, on a site', searchableAttributes: ['tenant', 'site'] },
    })
    const policies = readdirSync(policyDir)
      .filter((file) => file.endsWith('.json'))
      .sort()
      .map((file) => this.policy(file.replace(/\.json$/, ''), join(policyDir, file)))
    const templateName = `${stack.stackName}-device`
    new CfnPolicy(this, 'Claim', { policyName: `${stack.stackName}-claim`, policyDocument: claimPolicy(stack, templateName) })
    const template = new CfnProvisioningTemplate(this, 'Provisioning', {
      templateName,
      description: 'Registers a device under its serial number, with its tenant and its site',
      enabled: true,
      provisioningRoleArn: this.provisioningRole().roleArn,
      templateBody: JSON.stringify(
        templateBody(
          thingType.thingTypeName!,
          policies.map(({ policyName }) => policyName!),
        ),
        undefined,
        2,
      ),
      templateType: 'FLEET_PROVISIONING',
    })
    for (const needed of [thingType, ...policies]) template.addResourceDependency(needed)
    this.provisioningTemplateName = templateName
  }

  /** A policy file of the gateway, with this account's ARNs. */
  private policy(name: string, path: string): CfnPolicy {
    const document = parsePolicyDocument(JSON.parse(readFileSync(path, 'utf8')), path)
    const here = Stack.of(this).formatArn({ service: 'iot', resource: '' }).replace(/\/$/, '')
    const policyDocument = JSON.parse(JSON.stringify(document).replaceAll(localArn, here))
    return new CfnPolicy(this, `Policy-${name}`, { policyName: `${Stack.of(this).stackName}-${name}`, policyDocument })
  }

  private provisioningRole(): Role {
    const stack = Stack.of(this)
    const arn = (resource: string) => stack.formatArn({ service: 'iot', resource, resourceName: '*' })
    const statement = (actions: string[], ...resources: string[]) => new PolicyStatement({ effect: Effect.ALLOW, actions, resources })
    const statements = [
      statement(['iot:CreateThing', 'iot:DescribeThing', 'iot:UpdateThing', 'iot:ListThingPrincipals'], arn('thing')),
      statement(['iot:AttachThingPrincipal', 'iot:DetachThingPrincipal'], arn('thing'), arn('cert')),
      statement(['iot:DescribeThingType'], arn('thingtype')),
      statement(['iot:GetPolicy'], arn('policy')),
      statement(['iot:DescribeCertificate', 'iot:UpdateCertificate', 'iot:AttachPolicy', 'iot:ListAttachedPolicies'], arn('cert')),
      // These know no resources [Service Authorization Reference, AWS IoT].
      statement(
        [
          'iot:AttachPrincipalPolicy',
          'iot:ListPrincipalThings',
          'iot:ListPrincipalPolicies',
          'iot:RegisterCertificate',
          'iot:RegisterThing',
        ],
        '*',
      ),
    ]
    const role = new Role(this, 'ProvisioningRole', {
      assumedBy: new ServicePrincipal('iot.amazonaws.com', { conditions: { StringEquals: { 'aws:SourceAccount': stack.account } } }),
      inlinePolicies: { Register: new PolicyDocument({ statements }) },
    })
    acknowledgeWildcards(
      role,
      statements.flatMap(({ resources }) => resources),
      'things and certificates that do not exist yet have no names, and some IoT actions take no resource',
    )
    return role
  }
}

/** What a device may do with a claim certificate, whose only use is to ask for one of its own [AWS provision-wo-cert]. */
function claimPolicy(stack: Stack, templateName: string): object {
  const arn = (resource: string, resourceName: string) => stack.formatArn({ service: 'iot', resource, resourceName })
  const answers = ['$aws/certificates/create*', `$aws/provisioning-templates/${templateName}/provision/*`]
  const allow = (Action: string, Resource: string | string[]) => ({ Effect: 'Allow', Action, Resource })
  return {
    Version: '2012-10-17',
    Statement: [
      allow('iot:Connect', arn('client', 'claim-*')),
      allow(
        'iot:Publish',
        answers.map((topic) => arn('topic', topic)),
      ),
      allow(
        'iot:Receive',
        answers.map((topic) => arn('topic', topic)),
      ),
      allow(
        'iot:Subscribe',
        answers.map((topic) => arn('topicfilter', topic)),
      ),
    ],
  }
}

/** [AWS provision-template] */
function templateBody(thingTypeName: string, policyNames: readonly string[]): object {
  const text = { Type: 'String' }
  const parameter = (Ref: string) => ({ Ref })
  const policies = policyNames.map((PolicyName, index) => [`policy${index}`, { Type: 'AWS::IoT::Policy', Properties: { PolicyName } }])
  return {
    Parameters: { SerialNumber: text, Tenant: text, Site: text, 'AWS::IoT::Certificate::Id': text },
    Resources: {
      certificate: {
        Type: 'AWS::IoT::Certificate',
        Properties: { CertificateId: parameter('AWS::IoT::Certificate::Id'), Status: 'Active' },
      },
      thing: {
        Type: 'AWS::IoT::Thing',
        Properties: {
          ThingName: parameter('SerialNumber'),
          ThingTypeName: thingTypeName,
          AttributePayload: { tenant: parameter('Tenant'), site: parameter('Site') },
        },
        OverrideSettings: { AttributePayload: 'MERGE', ThingTypeName: 'REPLACE' },
      },
      ...Object.fromEntries(policies),
    },
  }
}
