# E-mail messages of a mailbox. truth: mailbox
from email.message import EmailMessage


def main():
    mailbox = []
    n = 0
    while True:
        message = EmailMessage()
        message["Subject"] = f"report {n}"  # <- line
        message["To"] = "somebody@example.org"  # <- line
        message.set_content("nothing new\n" * 20)  # <- line
        mailbox.append(message)  # <- line
        n += 1


main()
