use serde::Serialize;

/// What the page says, in one language. The names are what a template asks for as `text.NAME`.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "each says itself what it is for")]
pub struct Texts {
    pub title: &'static str,
    pub address: &'static str,
    pub hint: &'static str,
    pub go_on: &'static str,
    pub remembered: &'static str,
    pub not_you: &'static str,
    pub error: &'static str,
    pub empty: &'static str,
    pub invalid: &'static str,
    pub unknown: &'static str,
    pub unavailable: &'static str,
    pub foreign: &'static str,
    pub rejected: &'static str,
    pub denied: &'static str,
    pub too_many: &'static str,
}

pub(super) static ENGLISH: Texts = Texts {
    title: "Your mail",
    address: "E-mail address",
    hint: "The next page asks for your password.",
    go_on: "Continue",
    remembered: "This browser remembers your address.",
    not_you: "Not you? Forget this address",
    error: "Error",
    empty: "Please enter your e-mail address.",
    invalid: "Please enter a complete e-mail address, such as name@example.org.",
    unknown: "There is no mailbox with this address. Is it spelt correctly?",
    unavailable: "Your mail cannot be reached right now. Please try again in a moment.",
    foreign: "This came from another site. If you want to read your mail, enter your address here.",
    rejected: "The address or the password is wrong. Please try again.",
    denied: "This account may not log in. Please ask whoever runs your mail.",
    too_many: "There are too many attempts to log in right now. Please try again in a moment.",
};

pub(super) static GERMAN: Texts = Texts {
    title: "Ihre E-Mail",
    address: "E-Mail-Adresse",
    hint: "Nach Ihrem Passwort fragt die nächste Seite.",
    go_on: "Weiter",
    remembered: "Dieser Browser merkt sich Ihre Adresse.",
    not_you: "Nicht Sie? Diese Adresse vergessen",
    error: "Fehler",
    empty: "Bitte geben Sie Ihre E-Mail-Adresse ein.",
    invalid: "Bitte geben Sie eine vollständige E-Mail-Adresse ein, etwa name@example.org.",
    unknown: "Zu dieser Adresse gibt es kein Postfach. Ist sie richtig geschrieben?",
    unavailable: "Ihre E-Mail ist gerade nicht zu erreichen. Bitte versuchen Sie es gleich noch \
                  einmal.",
    foreign: "Das kam von einer anderen Website. Wenn Sie Ihre E-Mail lesen möchten, geben Sie hier \
              Ihre Adresse ein.",
    rejected: "Die Adresse oder das Passwort ist falsch. Bitte versuchen Sie es noch einmal.",
    denied: "Dieses Konto darf sich nicht anmelden. Bitte wenden Sie sich an den Betreiber Ihrer E-Mail.",
    too_many: "Gerade gibt es zu viele Anmeldeversuche. Bitte versuchen Sie es gleich noch einmal.",
};

pub(super) static FRENCH: Texts = Texts {
    title: "Votre messagerie",
    address: "Adresse e-mail",
    hint: "Votre mot de passe vous sera demandé à la page suivante.",
    go_on: "Continuer",
    remembered: "Ce navigateur se souvient de votre adresse.",
    not_you: "Ce n’est pas vous ? Oublier cette adresse",
    error: "Erreur",
    empty: "Veuillez saisir votre adresse e-mail.",
    invalid: "Veuillez saisir une adresse e-mail complète, par exemple nom@example.org.",
    unknown: "Aucune boîte aux lettres ne correspond à cette adresse. Est-elle bien écrite ?",
    unavailable: "Votre messagerie est momentanément inaccessible. Veuillez réessayer dans un \
                  instant.",
    foreign: "Cette demande vient d’un autre site. Pour lire votre courrier, saisissez votre \
              adresse ici.",
    rejected: "L’adresse ou le mot de passe est incorrect. Veuillez réessayer.",
    denied: "Ce compte n’est pas autorisé à se connecter. Veuillez vous adresser à la personne qui \
             gère votre messagerie.",
    too_many: "Il y a trop de tentatives de connexion en ce moment. Veuillez réessayer dans un \
               instant.",
};

pub(super) static SPANISH: Texts = Texts {
    title: "Su correo",
    address: "Dirección de correo electrónico",
    hint: "La contraseña se le pedirá en la página siguiente.",
    go_on: "Continuar",
    remembered: "Este navegador recuerda su dirección.",
    not_you: "¿No es usted? Olvidar esta dirección",
    error: "Error",
    empty: "Escriba su dirección de correo electrónico.",
    invalid: "Escriba una dirección de correo completa, por ejemplo nombre@example.org.",
    unknown: "No hay ningún buzón con esta dirección. ¿Está bien escrita?",
    unavailable: "En este momento no se puede acceder a su correo. Inténtelo de nuevo enseguida.",
    foreign: "Esto ha venido de otro sitio. Si desea leer su correo, escriba aquí su dirección.",
    rejected: "La dirección o la contraseña no es correcta. Inténtelo de nuevo.",
    denied: "Esta cuenta no puede iniciar sesión. Consulte a quien administra su correo.",
    too_many: "En este momento hay demasiados intentos de iniciar sesión. Inténtelo de nuevo \
               enseguida.",
};
