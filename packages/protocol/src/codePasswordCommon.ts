/** Data for `codePassword.ts`: what people type first when they are asked for a password, most frequent first. */

const COMMON = `
123456 password 12345678 qwerty 123456789 12345 1234 111111 1234567 dragon 123123 baseball abc123 football monkey
letmein 696969 shadow master 666666 qwertyuiop 123321 mustang 1234567890 michael 654321 superman 1qaz2wsx 7777777
121212 000000 qazwsx 123qwe killer trustno1 jordan jennifer zxcvbnm asdfgh hunter buster soccer harley batman andrew
tigger sunshine iloveyou 2000 charlie robert thomas hockey ranger daniel starwars klaster 112233 george computer
michelle jessica pepper 1111 zxcvbn 555555 11111111 131313 freedom 777777 pass maggie 159753 aaaaaa ginger princess
joshua cheese amanda summer winter spring autumn love ashley nicole chelsea matthew access yankees 987654321 dallas
austin thunder taylor matrix mobilemail admin administrator root user guest login welcome hello secret private
default changeme test testing demo sample temp temporary internet server godwit godwits transfer share file files
send receive room meeting family friends home house office work school company backup passwort kennwort hallo
schatz geheim sommer winter berlin hamburg muenchen motdepasse azerty bonjour soleil contrasena hola amor teamo
senha brasil parola ciao juventus wachtwoord haslo polska lozinka salasana parool heslo qwertz qwert asdf asdfghjkl
yxcvbnm mynoob google facebook apple samsung windows linux ubuntu debian monday tuesday wednesday thursday friday
saturday sunday january february march april june july august september october november december admin123
password1 passw0rd p@ssw0rd letmein1 welcome1 qwerty123 iloveyou1 abcd1234 a1b2c3d4 1q2w3e4r 1q2w3e4r5t q1w2e3r4
zaq12wsx correct horse battery staple
`

/** Rank from 1. */
export const COMMON_PASSWORDS: ReadonlyMap<string, number> = new Map(
  COMMON.trim()
    .split(/\s+/)
    .map((word, index) => [word, index + 1] as const)
    .toReversed(),
)

/** Rows of common keyboards. */
export const KEYBOARD_ROWS: readonly string[] = [
  '1234567890',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertzuiop',
  'yxcvbnm',
  'azertyuiop',
  'qsdfghjklm',
  'wxcvbn',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm',
]
