// A certificate authority for one laptop: a root, a server certificate and a certificate for each device, with the IoT policy they need.
import { createHash, webcrypto } from 'node:crypto'
import { closeSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { makeDirectory } from '../lib/make-directory.ts'
import { openPrivate } from '../lib/private-files.ts'
import type { Device } from './device.ts'
import type { DriverOptions } from './drivers/driver.ts'
import { FleetError } from './errors.ts'

export interface MintOptions {
  readonly out: string
  /** When certificates begin to be valid. */
  readonly now: number
  readonly days: number
  /** Names and addresses the server certificate is good for. */
  readonly hosts: readonly string[]
  /** For the resources that the policy names. */
  readonly region: string
  readonly account: string
  /** First level of the topics after `dt/` and `cmd/`. */
  readonly product: string
}

/** What a driver needs for TLS. */
export interface Certificates {
  readonly ca?: string
  readonly credentials?: NonNullable<DriverOptions['credentials']>
}

/** One device: what to register in AWS IoT, and where its certificate is. */
export interface Thing {
  readonly thingName: string
  readonly attributes: { readonly tenant: string; readonly site: string }
  readonly certificate: string
  readonly key: string
  /** SHA-256 of the certificate, as AWS IoT names it. */
  readonly certificateId: string
}

type Minted = Pick<Device, 'id' | 'tenant' | 'site'>

const atOnce = 32
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const dayMs = 86_400_000

/**
 *     out/ca.pem ca.key            the root
 *     out/server.pem server.key    for the gateway
 *     out/devices/<id>.pem .key    one for each device, common name = id
 *     out/policy.json              an AWS IoT policy that keeps each device to its own topics
 *     out/things.json              the registry a gateway reads: each thing, its tenant, its certificate id and its policy
 *
 * `policies` are other documents, by name, to attach instead of that policy.
 */
export async function mintCertificates(
  devices: readonly Pick<Device, 'id' | 'tenant' | 'site'>[],
  options: MintOptions,
  policies?: Readonly<Record<string, string>>,
): Promise<readonly Thing[]> {
  const { out, hosts } = options
  makeDirectory(join(out, 'devices'), (reason) => new FleetError(reason, 2))
  const authority = await createAuthority(options)
  await writePair(join(out, 'ca'), authority.ca)
  await writePair(join(out, 'server'), await authority.issue('weir gateway', { hosts }))
  const mint = async ({ id, tenant, site }: Minted): Promise<Thing> => {
    const pair = await authority.issue(id, {})
    await writePair(join(out, 'devices', id), pair)
    return {
      thingName: id,
      attributes: { tenant, site },
      certificate: `devices/${id}.pem`,
      key: `devices/${id}.key`,
      certificateId: pair.certificateId,
    }
  }
  const things: Thing[] = []
  // A few at a time: keys are made in the thread pool, and a thousand open files would be too many.
  for (let i = 0; i < devices.length; i += atOnce) things.push(...(await Promise.all(devices.slice(i, i + atOnce).map(mint))))
  const known = Object.entries(policies ?? { device: join(out, 'policy.json') }).map(([name, path]) => [name, relative(out, path)])
  await write(join(out, 'things.json'), `${JSON.stringify(registryOf(things, Object.fromEntries(known)), undefined, 2)}\n`)
  if (!policies) await write(join(out, 'policy.json'), `${JSON.stringify(policyFor(options), undefined, 2)}\n`)
  return things
}

/** What drivers need of a folder that `mintCertificates` wrote. */
export async function loadCertificates(folder: string): Promise<Required<Certificates>> {
  const read = (name: string, why: string) =>
    readFile(join(folder, name), 'utf8').catch(() => {
      throw new FleetError(`${join(folder, name)} cannot be read: ${why}`, 2)
    })
  return {
    ca: await read('ca.pem', 'is this a folder that `weir certs mint` wrote?'),
    credentials: async (id) => ({
      cert: await read(`devices/${id}.pem`, 'mint with the same scenario and at least as many devices'),
      key: await read(`devices/${id}.key`, 'mint with the same scenario and at least as many devices'),
    }),
  }
}

interface Pair {
  readonly cert: string
  readonly key: string
  readonly certificateId: string
}

async function createAuthority({ now, days }: MintOptions) {
  // The library finds its parts by the metadata functions, which it does not bring.
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const valid = { notBefore: new Date(now - dayMs), notAfter: new Date(now + days * dayMs) }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const { KeyUsageFlags: use } = x509
  const authorityKey = await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey)
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=weir local root',
    ...valid,
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(use.keyCertSign | use.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const toPair = async (certificate: InstanceType<typeof x509.X509Certificate>, key: webcrypto.CryptoKey): Promise<Pair> => ({
    cert: `${certificate.toString('pem')}\n`,
    key: `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`,
    certificateId: createHash('sha256').update(Buffer.from(certificate.rawData)).digest('hex'),
  })

  return {
    ca: await toPair(root, keys.privateKey),
    /** With hosts: for a server. Without: for a device. */
    async issue(name: string, { hosts }: { hosts?: readonly string[] }): Promise<Pair> {
      const own = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
      const certificate = await x509.X509CertificateGenerator.create({
        subject: [{ CN: [name] }],
        issuer: root.subject,
        ...valid,
        signingAlgorithm: algorithm,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(use.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([hosts ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth]),
          authorityKey,
          ...(hosts
            ? [
                new x509.SubjectAlternativeNameExtension(
                  hosts.map((value) => ({ type: isAddress(value) ? ('ip' as const) : ('dns' as const), value })),
                ),
              ]
            : []),
        ],
      })
      return toPair(certificate, own.privateKey)
    },
  }
}

function registryOf(things: readonly Thing[], policies: Readonly<Record<string, string>>): object {
  return {
    policies,
    things: things.map(({ thingName, attributes, certificateId }) => ({
      thingName,
      attributes,
      tenant: attributes.tenant,
      principals: [certificateId],
      policies: Object.keys(policies),
    })),
  }
}

/**
 * Each thing connects under its own name, writes below its own topic and hears its own commands. The thing is the one that
 * the client id names, so only the condition keeps a device from connecting as another. [AWS thing policy variables]
 */
export function policyFor({ region, account, product }: Pick<MintOptions, 'region' | 'account' | 'product'>): object {
  const arn = (resource: string) => `arn:aws:iot:${region}:${account}:${resource}`
  const own = '${iot:Connection.Thing.Attributes[tenant]}/${iot:Connection.Thing.Attributes[site]}/${iot:Connection.Thing.ThingName}'
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'iot:Connect',
        Resource: arn('client/${iot:Connection.Thing.ThingName}'),
        Condition: { Bool: { 'iot:Connection.Thing.IsAttached': 'true' } },
      },
      {
        Effect: 'Allow',
        Action: 'iot:Publish',
        Resource: [arn(`topic/dt/${product}/${own}/*`), arn(`topic/cmd/${product}/${own}/*/res/*`)],
      },
      { Effect: 'Allow', Action: 'iot:Subscribe', Resource: arn(`topicfilter/cmd/${product}/${own}/*`) },
      { Effect: 'Allow', Action: 'iot:Receive', Resource: arn(`topic/cmd/${product}/${own}/*`) },
    ],
  }
}

function isAddress(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(':')
}

async function writePair(path: string, { cert, key }: Pair): Promise<void> {
  await write(`${path}.pem`, cert)
  await write(`${path}.key`, key)
}

async function write(path: string, text: string): Promise<void> {
  try {
    const file = openPrivate(path, 'w')
    try {
      writeFileSync(file, text)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw new FleetError(`${path} cannot be written (${(error as NodeJS.ErrnoException).code})`, 2)
  }
}
