/**
 * Masks secrets before anything is written down or shown: in arguments, URLs, headers, scripts and messages. Names decide
 * (`--password x`, `API_KEY=x`, `Authorization: x`), and a few formats that are always secrets (`ghp_…`, a JWT, a private key).
 * A secret that is given bare (`-p hunter2` of a program that is not known here) cannot be told from other words.
 */
export const mask = '***';

/** Names whose last word alone says that the value is a secret. */
const secretWords = new Set(
  (
    'password passwd passwort passphrase passcode pwd pw pass secret secrets token credential credentials cookie cookies ' +
    'authorization jwt bearer apikey secretkey accesskey privatekey authkey authtoken accesstoken apitoken clientsecret ' +
    'sig signature sas connectionstring'
  ).split(' '),
);
/** `key` is a secret alone or after one of these; `sort_key`, `cache_key`, `public_key` are none. */
const secretKeys = new Set(
  (
    'access account api app application auth client consumer crypt encryption hmac jwt license licence master private ' +
    'secret service session shared signing ssh storage subscription webhook'
  ).split(' '),
);
/** What stands before `token`, `pass`, `secret`, `signature` … where it is none. */
const innocentBefore = new Set(
  (
    'pad eos bos unk sep cls mask stop start end next special image max min num per first second third two single one multi ' +
    'high low band all by render type method function call'
  ).split(' '),
);
/** Values that say that there is no secret, or where it is, instead of being one; arguments as a debugger shows them. */
const innocentValue =
  /^(?:true|false|null|none|nil|undefined|yes|no|on|off|required|optional|basic|digest|bearer|\*+|\$.*|%.*|<.*>|\{.*\}|\[redacted\]|\w+@entry=.*|0x[\da-f]{1,16}|.{0,200}\.(?:pem|key|crt|pub|json|ya?ml|txt|env))$/i;

/** `clientSecret`, `X-Api-Key`, `DJANGO_SECRET_KEY` as lower-case words. */
const wordsOf = (name: string): readonly string[] =>
  name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z\d]+/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase());

/** Whether what a name is given is a secret, as far as the name tells. */
export function isSecretName(name: string): boolean {
  // The working directory, as every shell exports it.
  if (name === 'PWD' || name === 'OLDPWD') return false;
  const words = wordsOf(name);
  const last = words.at(-1);
  const before = words.at(-2);
  if (last === undefined) return false;
  if (last === 'key' || last === 'keys') return before === undefined || secretKeys.has(before);
  if (last === 'auth') return true;
  if (before !== undefined && innocentBefore.has(before)) return false;
  // `PGPASSWORD`, `mysqlpwd`, `DBPASS`, `mytoken`: run together.
  return (
    secretWords.has(last) ||
    /.(?:passw(?:or)?d|pwd|passphrase|secret|apikey|token)$|(?:db|sql|pg|user|root|admin|smtp|mail|ftp|redis)pass$/.test(
      last,
    )
  );
}

const isSecretValue = (name: string, value: string): boolean => {
  if (value === '' || innocentValue.test(value)) return false;
  // `--key 3` is a column, `token: 50256` a word of a vocabulary.
  return !(/^\d{1,6}$/.test(value) && /(?:token|key|pass|sig|signature)$/i.test(name));
};

/** Formats that are secrets whatever they are called. */
const knownFormats: readonly RegExp[] = [
  /\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|glpat-[\w-]{16,64}|xox[abeoprs]-[\w-]{10,255})/g,
  /\b(?:sk|pk|rk)[-_](?:live|test|proj|ant|or)[-_][\w-]{10,255}|\bsk-[A-Za-z0-9]{20,255}/g,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}|\bhf_[A-Za-z0-9]{20,64}|\bnpm_[A-Za-z0-9]{30,64}/g,
  /\bpypi-[\w-]{20,512}|\bdckr_pat_[\w-]{10,64}|\bSG\.[\w-]{10,64}\.[\w-]{10,128}|\bdop_v1_[a-f0-9]{32,128}/g,
  /\beyJ[\w-]{5,4096}\.eyJ[\w-]{5,8192}\.[\w-]{5,4096}/g,
  /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^]{0,16384}?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g,
];

/** `scheme://user:secret@host`; before a host of the web also a name without a colon, which is a token as often. */
const urlPassword = /(\b[a-z][a-z0-9+.-]{1,30}:\/\/[^\s:/@'"]{0,200}):[^\s@/'"]{1,500}@/gi;
const urlToken = /(\bhttps?:\/\/)[^\s:/@'"]{1,500}@/gi;

/** `Authorization: Bearer x`, `Proxy-Authorization: Basic x`, `Cookie: a=b; c=d`: all that follows is the secret. */
const header =
  /\b((?:proxy-)?authorization|(?:set-)?cookie|x-[\w-]{0,40}(?:key|token|auth|secret|password))(["']?\s{0,3}[:=]\s{0,3}["']?)((?:bearer|basic|token|digest|negotiate|apikey)\s{1,3})?([^\s"'][^"'\r\n]{0,4096})/gi;
const bearer = /\b(bearer\s{1,3})([\w.~+/-]{8,4096}=*)/gi;

/** `name=`, `name: `, `"name": `, `name := `, `--name=` in any text; what follows is looked at only where the name is a secret's. */
const assignment =
  /(?<![\w.$])(["']?)([A-Za-z](?:[\w.-]{0,80}\w)?)\1(\s{0,3}(?::=|=>|[=:])\s{0,3})(?!\/\/)/g;
const assignedValue =
  /"(?:[^"\\\n]|\\.){0,4096}"|'(?:[^'\\\n]|\\.){0,4096}'|[^\s"',;&|#)}\]]{1,4096}/y;

/** Whether a bare word after `name: ` could be a secret: prose follows a colon too ("invalid token: expected a comma"). */
const looksRandom = (value: string): boolean =>
  value.length >= 6 &&
  (/\d/.test(value) || /[A-Z].*[a-z]|[a-z].*[A-Z]/.test(value.slice(1)) || value.length >= 20);

/** What every secret known here has in or before it: most texts have none of it, and need no second look. */
const hint =
  /pass|pwd|pw\b|secret|token|key|credential|cookie|auth|jwt|bearer|sig\b|signature|sas\b|connectionstring|:\/\/|gh[pousr]_|_pat_|glpat-|xox|[spr]k[-_]|AKIA|ASIA|AIza|hf_|npm_|pypi-|SG\.|dop_v1|eyJ/i;

/** Any text: a script, a log line, an exception's message. What is not a secret stays as it is. */
export function maskText(text: string): string {
  if (!hint.test(text)) return text;
  let result = text;
  for (const format of knownFormats) result = result.replaceAll(format, mask);
  result = result
    .replaceAll(urlPassword, `$1:${mask}@`)
    .replaceAll(urlToken, `$1${mask}@`)
    .replaceAll(
      header,
      (whole, name: string, link: string, scheme: string | undefined, value: string) =>
        value.startsWith(mask) ? whole : `${name}${link}${scheme ?? ''}${mask}`,
    )
    .replaceAll(bearer, `$1${mask}`);
  return maskAssignments(result);
}

function maskAssignments(text: string): string {
  let result = '';
  let done = 0;
  assignment.lastIndex = 0;
  for (;;) {
    const found = assignment.exec(text);
    if (found === null) break;
    const [, quote = '', name = '', link = ''] = found;
    if (!isSecretName(name)) continue;
    const start = assignment.lastIndex;
    assignedValue.lastIndex = start;
    const value = assignedValue.exec(text)?.[0];
    if (value === undefined) continue;
    const inner = /^(["'])(.*)\1$/s.exec(value);
    const [, mark = '', bare = value] = inner ?? [];
    const isProse = inner === null && quote === '' && /:\s/.test(link);
    if (!isSecretValue(name, bare) || (isProse && !looksRandom(bare))) continue;
    result += `${text.slice(done, start)}${mark}${mask}${mark}`;
    done = start + value.length;
    assignment.lastIndex = done;
  }
  return result + text.slice(done);
}

/**
 * Masks every text of a value, wherever it stands: a field that is added later is not forgotten. What holds no secret is not copied but is the
 * very same afterwards. A `command` is masked as the command line that it is.
 */
export function maskEvery<T>(value: T): T {
  const text = (whole: string, key: string): string => {
    if (key === 'command') return maskSecrets(whole.split(' ')).join(' ');
    return maskText(whole);
  };
  const inner = (part: unknown, key: string): unknown => {
    if (typeof part === 'string') return text(part, key);
    if (typeof part !== 'object' || part === null) return part;
    if (Array.isArray(part)) {
      // Series of figures are long, and hold no words.
      if (typeof part[0] === 'number' && typeof part.at(-1) !== 'string') return part;
      const copy =
        key === 'command' && part.every((word) => typeof word === 'string')
          ? maskSecrets(part)
          : part.map((each) => inner(each, ''));
      return copy.every((each, index) => each === part[index]) ? part : copy;
    }
    let changed: Record<string, unknown> | undefined;
    for (const name in part) {
      const own = (part as Record<string, unknown>)[name];
      const masked = inner(own, name);
      if (masked !== own) changed = { ...(changed ?? part), [name]: masked };
    }
    return changed ?? part;
  };
  return inner(value, '') as T;
}
/** Programs whose short options are known to hold a secret: in the next word, or in the rest of the same one. */
const shortOptions: readonly {
  /** Matched against the program, its first word and a space. */
  readonly programs: RegExp;
  readonly option: string;
  readonly secret: 'next word' | 'rest of the word';
}[] = [
  {
    programs: /^(?:mysql|mysqldump|mysqladmin|mariadb|mariadb-dump) /,
    option: '-p',
    secret: 'rest of the word',
  },
  {
    // Elsewhere `docker -p` publishes a port.
    programs:
      /^(?:sshpass|mongo|mongosh|mongodump|mongorestore) |^(?:docker|podman|nerdctl) login /,
    option: '-p',
    secret: 'next word',
  },
  { programs: /^redis-cli /, option: '-a', secret: 'next word' },
  { programs: /^(?:ldapsearch|ldapadd|ldapmodify) /, option: '-w', secret: 'next word' },
];
const webClients = /^(?:curl|wget|http|https|ab|hey|siege)$/;

/** The words of a command line. Options keep their names: what was asked for stays readable. */
export function maskSecrets(words: readonly string[]): readonly string[] {
  const program = (words[0] ?? '').replace(/^.*\//, '');
  const isWebClient = webClients.test(program);
  const short = shortOptions.find(({ programs }) => programs.test(`${program} ${words[1] ?? ''} `));
  let next: 'secret' | 'userinfo' | null = null;
  return words.map((word) => {
    const expected = next;
    next = null;
    // `--token --verbose`, `--token -v`: another option, not the secret.
    if (expected === 'secret' && !/^--|^-[A-Za-z]$/.test(word) && !innocentValue.test(word))
      return mask;
    if (expected === 'userinfo' && !/^\d+(?::\d+)?$/.test(word))
      return word.replace(/:.*$/s, `:${mask}`);
    if (short?.secret === 'next word' && word === short.option) next = 'secret';
    if (short?.secret === 'rest of the word' && word.startsWith(short.option) && word.length > 2)
      return `${short.option}${mask}`;
    if (isWebClient && /^(?:-u|--user|--proxy-user|-U)$/.test(word)) next = 'userinfo';
    return maskWord(word, () => {
      next = 'secret';
    });
  });
}

function maskWord(word: string, expectSecret: () => void): string {
  const option = /^(?:--?|\/)([A-Za-z][\w.-]*)$/.exec(word)?.[1];
  if (option !== undefined) {
    // `/usr` is a folder, and `-pass` an option.
    if (!word.startsWith('/') && isSecretName(option)) expectSecret();
    return word;
  }
  // `NAME=x`, `--name=x`, `/p:Name=x`, `name:x`: all of the word. A header has a space, and a scheme that may stay.
  const given = /^((?:--?|\/[A-Za-z]+:)?([A-Za-z][\w.-]*)[=:])(.+)$/s.exec(word);
  if (given !== null && !/^(?:\/\/|\s)/.test(given[3] ?? '')) {
    const [, head = '', name = '', value = ''] = given;
    if (isSecretName(name) && isSecretValue(name, value.trim())) return `${head}${mask}`;
  }
  return maskText(word);
}
