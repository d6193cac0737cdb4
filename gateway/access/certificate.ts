// What a device certificate says, in the words of AWS IoT.
import { createHash, X509Certificate } from 'node:crypto'
import type { PolicyCertificate } from './policy-variables.ts'

export interface DeviceCertificate {
  /** AWS's certificate id: SHA-256 of the DER, in lower-case hex. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
  readonly facts: PolicyCertificate
}

/** OpenSSL's short names under AWS's [AWS iot cert-policy-variables]. */
const attributes: Readonly<Record<string, string>> = {
  dnQualifier: 'DistinguishedNameQualifier',
  C: 'Country',
  O: 'Organization',
  OU: 'OrganizationalUnit',
  ST: 'State',
  CN: 'CommonName',
  serialNumber: 'SerialNumber',
  title: 'Title',
  SN: 'Surname',
  GN: 'GivenName',
  initials: 'Initials',
  pseudonym: 'Pseudonym',
  generationQualifier: 'GenerationQualifier',
}

const alternativeNames: Readonly<Record<string, string>> = {
  DNS: 'AlternativeName.DNSName',
  'IP Address': 'AlternativeName.IPAddress',
  URI: 'AlternativeName.UniformResourceIdentifier',
  email: 'AlternativeName.RFC822Name',
  DirName: 'AlternativeName.DirectoryName',
}

/** From DER or PEM. Throws when the bytes are no certificate. */
export function readCertificate(bytes: Uint8Array | string): DeviceCertificate {
  const certificate = new X509Certificate(bytes)
  const id = certificateId(certificate.raw)
  const { subject, issuer } = certificate.toLegacyObject()
  return {
    id,
    notBefore: Date.parse(certificate.validFrom),
    notAfter: Date.parse(certificate.validTo),
    facts: {
      CertificateId: id,
      SerialNumber: certificate.serialNumber.toLowerCase(),
      Subject: { ...namesOf(subject), ...alternativeNamesOf(certificate.subjectAltName) },
      Issuer: namesOf(issuer),
    },
  }
}

export const certificateId = (der: Uint8Array): string => createHash('sha256').update(der).digest('hex')

function namesOf(name: object): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(name as Record<string, string | readonly string[]>).flatMap(([short, value]) => {
      const long = attributes[short]
      return long === undefined ? [] : [[long, [value].flat() as readonly string[]]]
    }),
  )
}

/** `DNS:a.example, IP Address:192.0.2.1`; a value with a comma or a quote in it is a JSON string. */
function alternativeNamesOf(text = ''): Readonly<Record<string, readonly string[]>> {
  const found: Record<string, string[]> = {}
  for (const [, kind = '', value = ''] of text.matchAll(/(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g)) {
    const name = alternativeNames[kind]
    if (name === undefined) continue
    found[name] ??= []
    found[name].push(value.startsWith('"') ? String(JSON.parse(value)) : value)
  }
  return found
}
